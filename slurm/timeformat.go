package slurm

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// FormatTime prints t in its own time zone as SLURM_TIME_FORMAT asks: "" or
// "standard" for 2035-01-02T03:04:05, "relative" for a short form seen from now,
// else what strftime makes of the layout in the C locale. A layout without a
// percent sign is none (see CheckTimeFormat) and prints as standard. What to
// print for no time at all is the caller's affair.
func FormatTime(t time.Time, layout string, now time.Time) string {
	switch {
	case layout == "relative":
		return relativeTime(t, now)
	case strings.Contains(layout, "%"):
		return Strftime(t, layout)
	}
	return t.Format("2006-01-02T15:04:05")
}

// CheckTimeFormat refuses a SLURM_TIME_FORMAT that FormatTime would not follow,
// in the words that commands warn with.
func CheckTimeFormat(layout string) error {
	if layout == "" || layout == "standard" || layout == "relative" || strings.Contains(layout, "%") {
		return nil
	}
	return fmt.Errorf("invalid SLURM_TIME_FORMAT = '%s'", layout)
}

// relativeTime leaves out what is known from the time of looking: the day when
// it is today, the month within a week, the hour in another year.
func relativeTime(t, now time.Time) string {
	now = now.In(t.Location())
	switch days := dayNumber(t) - dayNumber(now); {
	case days == 0:
		return t.Format("15:04:05")
	case days == -1:
		return t.Format("Ystday 15:04")
	case days == 1:
		return t.Format("Tomorr 15:04")
	case -7 < days && days < 7:
		return t.Format("Mon 15:04")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006")
}

// dayNumber counts days since 1970 on t's own calendar.
func dayNumber(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// Strftime formats t as the C function does in the C locale, with GNU's flags
// "-" (no padding), "_" (blanks), "0" (zeros), "^" (upper case) and a width. A
// conversion that does not exist is copied as it stands.
func Strftime(t time.Time, layout string) string {
	var b strings.Builder
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' {
			b.WriteByte(layout[i])
			continue
		}
		start := i
		var flag byte
		upper := false
		for i++; i < len(layout) && strings.IndexByte("-_0^#", layout[i]) >= 0; i++ {
			switch layout[i] {
			case '^':
				upper = true
			case '#':
			default:
				flag = layout[i]
			}
		}
		width := 0
		for ; i < len(layout) && '0' <= layout[i] && layout[i] <= '9'; i++ {
			width = min(width*10+int(layout[i]-'0'), 100)
		}
		for i < len(layout) && (layout[i] == 'E' || layout[i] == 'O') {
			i++
		}
		if i == len(layout) {
			b.WriteString(layout[start:])
			break
		}
		out, ok := conversion(t, layout[i], flag, width)
		if !ok {
			b.WriteString(layout[start : i+1])
			continue
		}
		if upper {
			out = strings.ToUpper(out)
		}
		b.WriteString(out)
	}
	return b.String()
}

// conversion is one % of strftime.
func conversion(t time.Time, c, flag byte, width int) (string, bool) {
	num := func(n int64, w int, pad byte) (string, bool) {
		switch flag {
		case '-':
			pad, w = 0, 0
		case '_':
			pad = ' '
		case '0':
			pad = '0'
		}
		if width > 0 && flag != '-' {
			w = width
		}
		s := strconv.FormatInt(n, 10)
		for len(s) < w && pad != 0 {
			s = string(pad) + s
		}
		return s, true
	}
	text := func(s string) (string, bool) {
		pad := " "
		if flag == '0' {
			pad = "0"
		}
		return strings.Repeat(pad, max(0, width-len(s))) + s, true
	}
	hour12 := int64((t.Hour()+11)%12 + 1)
	switch c {
	case 'a':
		return text(t.Format("Mon"))
	case 'A':
		return text(t.Weekday().String())
	case 'b', 'h':
		return text(t.Format("Jan"))
	case 'B':
		return text(t.Month().String())
	case 'c':
		return text(t.Format("Mon Jan _2 15:04:05 2006"))
	case 'C':
		return num(int64(t.Year()/100), 2, '0')
	case 'd':
		return num(int64(t.Day()), 2, '0')
	case 'D', 'x':
		return text(t.Format("01/02/06"))
	case 'e':
		return num(int64(t.Day()), 2, ' ')
	case 'F':
		return text(t.Format("2006-01-02"))
	case 'g':
		y, _ := t.ISOWeek()
		return num(int64(y%100), 2, '0')
	case 'G':
		y, _ := t.ISOWeek()
		return num(int64(y), 4, '0')
	case 'H':
		return num(int64(t.Hour()), 2, '0')
	case 'I':
		return num(hour12, 2, '0')
	case 'j':
		return num(int64(t.YearDay()), 3, '0')
	case 'k':
		return num(int64(t.Hour()), 2, ' ')
	case 'l':
		return num(hour12, 2, ' ')
	case 'm':
		return num(int64(t.Month()), 2, '0')
	case 'M':
		return num(int64(t.Minute()), 2, '0')
	case 'n':
		return "\n", true
	case 'p':
		return text(t.Format("PM"))
	case 'P':
		return text(t.Format("pm"))
	case 'r':
		return text(t.Format("03:04:05 PM"))
	case 'R':
		return text(t.Format("15:04"))
	case 's':
		return num(t.Unix(), 1, '0')
	case 'S':
		return num(int64(t.Second()), 2, '0')
	case 't':
		return "\t", true
	case 'T', 'X':
		return text(t.Format("15:04:05"))
	case 'u':
		return num(int64(t.Weekday()+6)%7+1, 1, '0')
	case 'U':
		return num(int64(t.YearDay()+6-int(t.Weekday()))/7, 2, '0')
	case 'V':
		_, w := t.ISOWeek()
		return num(int64(w), 2, '0')
	case 'w':
		return num(int64(t.Weekday()), 1, '0')
	case 'W':
		return num(int64(t.YearDay()+6-(int(t.Weekday())+6)%7)/7, 2, '0')
	case 'y':
		return num(int64(t.Year()%100), 2, '0')
	case 'Y':
		return num(int64(t.Year()), 1, '0')
	case 'z':
		return text(t.Format("-0700"))
	case 'Z':
		return text(t.Format("MST"))
	case '%':
		return "%", true
	}
	return "", false
}
