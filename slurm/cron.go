package slurm

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// CronSpec says when a line of a crontab is due: the minutes, hours, days,
// months and days of the week that fit, each a set of bits. As in every cron, a
// line that names both days of the month and days of the week is due on either.
type CronSpec struct {
	Minute, Hour, Day, Month, Weekday uint64
	anyDay, anyWeekday                bool
	text                              string
}

// String returns the line's beginning as it was written.
func (c CronSpec) String() string { return c.text }

// cronField is one of the five: its name in messages, its bounds, and words for
// its numbers, the first of which stands for first.
type cronField struct {
	name       string
	low, high  int
	words      []string
	firstWord  int
	wrapsSeven bool // 7 is Sunday too
}

var cronFields = [5]cronField{
	{name: "minute", high: 59},
	{name: "hour", high: 23},
	{name: "day of month", low: 1, high: 31},
	{name: "month", low: 1, high: 12, words: strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec"), firstWord: 1},
	{name: "day of week", high: 7, words: strings.Fields("sun mon tue wed thu fri sat"), wrapsSeven: true},
}

// cronWords are the lines that have a word for the whole of their beginning.
var cronWords = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@elevenses": "0 11 * * *", "@fika": "0 15 * * *", "@teatime": "0 16 * * *",
}

// ParseCron reads the five fields of a crontab's line, or one of the words such
// as @hourly.
func ParseCron(text string) (CronSpec, error) {
	fields := strings.Fields(text)
	if len(fields) == 1 && strings.HasPrefix(fields[0], "@") {
		whole, ok := cronWords[strings.ToLower(fields[0])]
		if !ok {
			return CronSpec{}, fmt.Errorf("%q is not a time of a crontab (want @hourly, @daily, @weekly, @monthly or @yearly)", fields[0])
		}
		c, err := ParseCron(whole)
		c.text = fields[0]
		return c, err
	}
	if len(fields) != len(cronFields) {
		return CronSpec{}, fmt.Errorf("%q is not a time of a crontab: %d fields, want minute hour day month weekday", text, len(fields))
	}
	c := CronSpec{text: strings.Join(fields, " ")}
	for i, set := range []*uint64{&c.Minute, &c.Hour, &c.Day, &c.Month, &c.Weekday} {
		got, err := cronFields[i].parse(fields[i])
		if err != nil {
			return CronSpec{}, err
		}
		*set = got
	}
	c.Weekday |= c.Weekday >> 7 & 1
	c.Weekday &= 1<<7 - 1
	c.anyDay, c.anyWeekday = fields[2][0] == '*', fields[4][0] == '*'
	if c.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return CronSpec{}, fmt.Errorf("%q is never due", c.text)
	}
	return c, nil
}

// CronLineSpec parts a crontab's line into when and what.
func CronLineSpec(line string) (CronSpec, string, error) {
	line = strings.TrimLeft(line, " \t")
	n := len(cronFields)
	if strings.HasPrefix(line, "@") {
		n = 1
	}
	rest := line
	for range n {
		end := strings.IndexAny(rest, " \t")
		if end < 0 {
			rest = ""
			break
		}
		rest = strings.TrimLeft(rest[end:], " \t")
	}
	when := strings.TrimSpace(line[:len(line)-len(rest)])
	c, err := ParseCron(when)
	if err != nil {
		return c, "", err
	}
	if rest == "" {
		return c, "", fmt.Errorf("%q has no command", line)
	}
	return c, rest, nil
}

// parse reads a field: a list of numbers, words, ranges and stars, each with a
// step if need be.
func (f *cronField) parse(text string) (uint64, error) {
	var set uint64
	for _, part := range strings.Split(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, ok := parseUint(stepText, 59)
			if !ok || n == 0 {
				return 0, fmt.Errorf("%q is not a %s: step %q", text, f.name, stepText)
			}
			step = int(n)
		}
		low, high := f.low, f.high
		if f.wrapsSeven {
			high = 6
		}
		if span != "*" {
			from, to, ranged := strings.Cut(span, "-")
			var ok bool
			if low, ok = f.value(from); !ok {
				return 0, fmt.Errorf("%q is not a %s (%d to %d)", text, f.name, f.low, f.high)
			}
			switch {
			case ranged:
				if high, ok = f.value(to); !ok || high < low {
					return 0, fmt.Errorf("%q is not a %s: range %q", text, f.name, span)
				}
			case !stepped:
				high = low
			}
		}
		for n := low; n <= high; n += step {
			set |= 1 << n
		}
	}
	return set, nil
}

func (f *cronField) value(text string) (int, bool) {
	for i, word := range f.words {
		if strings.EqualFold(word, text) {
			return i + f.firstWord, true
		}
	}
	n, ok := parseUint(text, uint64(f.high))
	return int(n), ok && int(n) >= f.low
}

// Next returns the first moment after t at which the line is due, in t's zone.
// It is zero when there is none in the eight years that hold every leap day.
func (c CronSpec) Next(t time.Time) time.Time {
	t = t.Truncate(time.Minute).Add(time.Minute)
	for end := t.AddDate(8, 0, 1); t.Before(end); {
		y, m, d := t.Date()
		switch {
		case c.Month>>m&1 == 0:
			t = time.Date(y, m+1, 1, 0, 0, 0, 0, t.Location())
		case !c.onDay(t):
			t = time.Date(y, m, d+1, 0, 0, 0, 0, t.Location())
		case c.Hour>>t.Hour()&1 == 0:
			// Hours are added, not set: where the clock is put on one of them is not there.
			t = t.Add(time.Duration(60-t.Minute()) * time.Minute)
		case c.Minute>>t.Minute()&1 == 0:
			later := c.Minute >> t.Minute()
			if later == 0 {
				t = t.Add(time.Duration(60-t.Minute()) * time.Minute)
				continue
			}
			t = t.Add(time.Duration(bits.TrailingZeros64(later)) * time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}

func (c CronSpec) onDay(t time.Time) bool {
	day, week := c.Day>>t.Day()&1 == 1, c.Weekday>>int(t.Weekday())&1 == 1
	if c.anyDay || c.anyWeekday {
		return day && week
	}
	return day || week
}
