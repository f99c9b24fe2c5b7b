package pipeline

import (
	"errors"
	"strings"
)

// blanks separate the words of a directive.
const blanks = " \t\v\f\r"

// isStageLine reports whether a line begins a stage. The word is matched in any
// case, so that a mistyped one is refused and not taken for a comment.
func isStageLine(line string) bool {
	text, found := strings.CutPrefix(line, "#RINK")
	if !found || text == "" || !strings.Contains(blanks, text[:1]) {
		return false
	}
	word := strings.TrimLeft(text, blanks)
	if i := strings.IndexAny(word, blanks+"#"); i >= 0 {
		word = word[:i]
	}
	return strings.EqualFold(word, "stage")
}

// words splits the text of a directive line as sbatch does: at blanks, with
// quotes of both kinds, a backslash that takes the meaning from the character
// after it (not within single quotes), and a comment from an unquoted # on.
func words(text string) ([]string, error) {
	var (
		ws     []string
		word   strings.Builder
		inWord bool
		quote  byte
	)
	end := func() {
		if inWord {
			ws = append(ws, word.String())
			word.Reset()
			inWord = false
		}
	}
scan:
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'':
			if i++; i == len(text) {
				return nil, errors.New("the line ends in a backslash; directives have no continuation lines")
			}
			word.WriteByte(text[i])
			inWord = true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == '#':
			break scan
		case strings.IndexByte(blanks, c) >= 0:
			end()
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("the quote " + string(quote) + " is not closed")
	}
	end()
	return ws, nil
}
