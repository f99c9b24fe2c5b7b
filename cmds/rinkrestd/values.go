package rinkrestd

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// number is a number as the data parsers have them: plain, or as an object that says
// whether there is one.
type number struct {
	n        int64
	set      bool
	infinite bool
}

// readNumber reads a number in any of its forms.
func readNumber(v any) (number, error) {
	switch v := v.(type) {
	case nil:
		return number{}, nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return number{n: n, set: true}, nil
		}
		f, err := v.Float64()
		if err != nil || math.IsNaN(f) || math.Abs(f) > 1<<53 {
			return number{}, fmt.Errorf("%s is not a number", v)
		}
		return number{n: int64(f), set: true}, nil
	case string:
		text := strings.TrimSpace(v)
		switch strings.ToLower(text) {
		case "":
			return number{}, nil
		case "infinite", "unlimited":
			return number{set: true, infinite: true}, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return number{}, fmt.Errorf("%q is not a number", v)
		}
		return number{n: n, set: true}, nil
	case map[string]any:
		in, err := readNumber(v["number"])
		if err != nil {
			return number{}, err
		}
		if infinite, _ := v["infinite"].(bool); infinite {
			return number{set: true, infinite: true}, nil
		}
		if set, told := v["set"].(bool); told {
			in.set = set
		}
		return in, nil
	}
	return number{}, fmt.Errorf("a %s is not a number", kindOf(v))
}

// readText reads a text: a string or a number, or a list of them, which is joined by
// commas.
func readText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		if strings.ContainsRune(v, 0) {
			return "", fmt.Errorf("it has a zero byte in it")
		}
		return v, nil
	case json.Number:
		return v.String(), nil
	case []any:
		words := make([]string, len(v))
		for i, one := range v {
			if _, deeper := one.([]any); deeper {
				return "", fmt.Errorf("a list in a list is not a text")
			}
			text, err := readText(one)
			if err != nil {
				return "", err
			}
			words[i] = text
		}
		return strings.Join(words, ","), nil
	case map[string]any:
		n, err := readNumber(v)
		switch {
		case err != nil:
			return "", err
		case n.infinite:
			return "UNLIMITED", nil
		case !n.set:
			return "", nil
		}
		return strconv.FormatInt(n.n, 10), nil
	}
	return "", fmt.Errorf("a %s is not a text", kindOf(v))
}

// readBool reads a flag.
func readBool(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		return on(v), nil
	case []any: // ["true"], as flags of several states are written
		if len(v) == 0 {
			return false, nil
		}
		return readBool(v[0])
	}
	n, err := readNumber(v)
	return n.set && n.n != 0, err
}

// kindOf calls a value what JSON calls it.
func kindOf(v any) string {
	switch v.(type) {
	case bool:
		return "boolean"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	}
	return "value"
}
