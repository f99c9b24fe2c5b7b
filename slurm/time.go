package slurm

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TimeError says where a date could not be read. Its text is the one Slurm's
// commands print.
type TimeError struct {
	Text string
	Pos  int // -1: there is neither a day nor an hour in it, of which Slurm says no more
}

func (e *TimeError) Error() string {
	return fmt.Sprintf("Invalid time specification (pos=%d): %s", e.Pos, e.Text)
}

// Unwrap returns ErrnoInvalidTime.
func (e *TimeError) Unwrap() error { return ErrnoInvalidTime }

// ParseTime reads a moment, in now's time zone and seen from now:
//
//	now, now+N, now-N [seconds|minutes|hours|days|weeks]
//	HH:MM[:SS] [AM|PM], midnight, noon, elevenses, fika, teatime
//	today, tomorrow, MMDD[YY], MM/DD[/YY], MM.DD[.YY], YYYY-MM-DD, each
//	alone (midnight) or with a clock time before or behind it
//	utsN: seconds since 1970
//
// What leaves the day or the year open is the next such moment, or with past
// (sacct, sreport) the one of today or of this year.
func ParseTime(s string, now time.Time, past bool) (time.Time, error) {
	p := timeParser{text: s, now: now, past: past}
	t, ok := p.parse()
	if !ok {
		return time.Time{}, &TimeError{Text: s, Pos: p.bad}
	}
	return t, nil
}

// timeParser is one reading of a text: a day, a clock time, or both.
type timeParser struct {
	text string
	pos  int
	bad  int // where it went wrong
	now  time.Time
	past bool

	hasDay, hasYear, hasClock bool
	year, month, day          int
	hour, minute, second      int
}

// clockWords are hours with a name; dayWords are days, counted from today.
var (
	clockWords = []struct {
		word string
		hour int
	}{{"midnight", 0}, {"noon", 12}, {"elevenses", 11}, {"fika", 15}, {"teatime", 16}}
	dayWords = []struct {
		word  string
		ahead int
	}{{"today", 0}, {"tomorrow", 1}}
)

func (p *timeParser) parse() (time.Time, bool) {
	p.blanks()
	if p.word("now") {
		return p.relative()
	}
	if rest := p.text[p.pos:]; len(rest) > 3 && strings.EqualFold(rest[:3], "now") {
		return p.fail(p.pos + 3)
	}
	if p.word("uts") {
		return p.epoch()
	}
	for {
		p.blanks()
		// A T or a dash may stand between the day and the time, and in front of either.
		for p.pos < len(p.text) && (p.text[p.pos] == 'T' || p.text[p.pos] == '-') {
			p.pos++
			p.blanks()
		}
		if p.pos == len(p.text) {
			break
		}
		at := p.pos
		switch {
		case p.text[p.pos] >= '0' && p.text[p.pos] <= '9':
			if !p.number() {
				return time.Time{}, false
			}
		case p.words():
		default:
			return p.fail(at)
		}
	}
	if !p.hasDay && !p.hasClock {
		return p.fail(-1)
	}
	return p.resolve(), true
}

func (p *timeParser) fail(at int) (time.Time, bool) {
	p.bad = at
	return time.Time{}, false
}

func (p *timeParser) blanks() {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
}

// word takes a word if it comes next, in any case of letters and not as the
// beginning of a longer one. An upper-case T behind it separates it from a clock.
func (p *timeParser) word(w string) bool {
	rest := p.text[p.pos:]
	if len(rest) < len(w) || !strings.EqualFold(rest[:len(w)], w) {
		return false
	}
	if len(rest) > len(w) && w != "uts" {
		c := rest[len(w)]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' && c != 'T' || '0' <= c && c <= '9' {
			return false
		}
	}
	p.pos += len(w)
	return true
}

// words takes the name of a day or of an hour.
func (p *timeParser) words() bool {
	for _, c := range clockWords {
		if !p.hasClock && p.word(c.word) {
			p.hasClock, p.hour = true, c.hour
			return true
		}
	}
	for _, d := range dayWords {
		if !p.hasDay && p.word(d.word) {
			t := p.now.AddDate(0, 0, d.ahead)
			p.hasDay, p.hasYear = true, true
			p.year, p.month, p.day = t.Year(), int(t.Month()), t.Day()
			return true
		}
	}
	return false
}

// timeUnits are the units behind now+N.
var timeUnits = []struct {
	name    string
	seconds int64
}{{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}, {"week", 604800}}

// unitSeconds returns how long a unit is; 0 when word is none.
func unitSeconds(word string) int64 {
	for _, u := range timeUnits {
		if strings.EqualFold(word, u.name) || strings.EqualFold(word, u.name+"s") {
			return u.seconds
		}
	}
	return 0
}

// longestUnit returns how much of the beginning of word is the name of a unit.
func longestUnit(word string) int {
	for n := len(word); n > 0; n-- {
		if unitSeconds(word[:n]) != 0 {
			return n
		}
	}
	return 0
}

// letters returns how many letters s begins with.
func letters(s string) int {
	n := 0
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z') {
		n++
	}
	return n
}

// relative reads what follows "now".
func (p *timeParser) relative() (time.Time, bool) {
	now := time.Unix(p.now.Unix(), 0).In(p.now.Location())
	p.blanks()
	if p.pos == len(p.text) {
		return now, true
	}
	sign := int64(1)
	switch p.text[p.pos] {
	case '-':
		sign = -1
	case '+':
	default:
		return p.fail(p.pos)
	}
	p.pos++
	p.blanks()
	at := p.pos
	n, ok := p.digits(12)
	if !ok {
		return p.fail(at - 1)
	}
	p.blanks()
	unit := int64(1)
	if rest := p.text[p.pos:]; rest != "" {
		k := longestUnit(rest[:letters(rest)])
		if k == 0 {
			return p.fail(p.pos - 1)
		}
		unit = unitSeconds(rest[:k])
		if behind := strings.TrimLeft(rest[k:], " \t"); behind != "" {
			return p.fail(len(p.text) - len(behind))
		}
	}
	if int64(n) > maxOffset/unit {
		return p.fail(at)
	}
	return time.Unix(now.Unix()+sign*int64(n)*unit, 0).In(now.Location()), true
}

// maxOffset bounds moments to some tens of thousands of years around 1970.
const maxOffset = 1 << 40

// epoch reads what follows "uts".
func (p *timeParser) epoch() (time.Time, bool) {
	n, ok := p.digits(13)
	if !ok || p.pos != len(p.text) || n > maxOffset {
		return p.fail(0)
	}
	return time.Unix(int64(n), 0).In(p.now.Location()), true
}

// digits takes a number of at most that many digits.
func (p *timeParser) digits(most int) (int, bool) {
	k := digits(p.text[p.pos:])
	if k == 0 || k > most {
		return 0, false
	}
	n, err := strconv.Atoi(p.text[p.pos : p.pos+k])
	p.pos += k
	return n, err == nil
}

// number reads a day or a clock time that begins with a digit. It reports false
// with bad set.
func (p *timeParser) number() bool {
	k := digits(p.text[p.pos:])
	next := byte(0)
	if p.pos+k < len(p.text) {
		next = p.text[p.pos+k]
	}
	start := p.pos
	ok := false
	switch {
	case k <= 2 && next == ':':
		ok = !p.hasClock && p.clock()
	case k <= 2 && (next == '/' || next == '.'):
		ok = !p.hasDay && p.monthDay(next)
	case k == 4 && next == '-':
		ok = !p.hasDay && p.iso()
	case k >= 3:
		ok = !p.hasDay && p.packed(k)
	case k == 2 && p.text[start:start+2] > "23":
		p.fail(start)
		return false
	default:
		p.fail(start + min(k, 2))
		return false
	}
	if !ok && p.bad < start {
		p.bad = start
	}
	return ok
}

// field takes a number of lo to hi with one or two digits.
func (p *timeParser) field(lo, hi int) (int, bool) {
	at := p.pos
	n, ok := p.digits(2)
	if !ok || n < lo || n > hi {
		p.bad = at
		return 0, false
	}
	return n, true
}

// twoDigits takes minutes or seconds, which one digit is too little for. What
// follows two of them is something else.
func (p *timeParser) twoDigits() (int, bool) {
	at := p.pos
	switch digits(p.text[at:]) {
	case 0:
		p.bad = at
		return 0, false
	case 1:
		p.bad = at + 1
		return 0, false
	}
	n := int(p.text[at]-'0')*10 + int(p.text[at+1]-'0')
	if n > 59 {
		p.bad = at
		return 0, false
	}
	p.pos += 2
	return n, true
}

func (p *timeParser) next(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *timeParser) clock() bool {
	var ok bool
	if p.hour, ok = p.field(0, 23); !ok {
		return false
	}
	p.pos++
	if p.minute, ok = p.twoDigits(); !ok {
		return false
	}
	if p.next(':') {
		if p.second, ok = p.twoDigits(); !ok {
			return false
		}
	}
	p.hasClock = true
	at := p.pos
	p.blanks()
	switch {
	case p.word("am"):
		if p.hour > 12 {
			p.bad = at
			return false
		}
		p.hour %= 12
	case p.word("pm"):
		if p.hour > 12 {
			p.bad = at
			return false
		}
		p.hour = p.hour%12 + 12
	default:
		p.pos = at
	}
	if p.pos < len(p.text) && !strings.ContainsRune(" \t-T0123456789", rune(p.text[p.pos])) {
		p.bad = p.pos
		return false
	}
	return true
}

func (p *timeParser) monthDay(sep byte) bool {
	var ok bool
	if p.month, ok = p.field(1, 12); !ok {
		return false
	}
	p.pos++
	if p.day, ok = p.field(1, 31); !ok {
		return false
	}
	if p.next(sep) {
		at := p.pos
		if digits(p.text[at:]) > 2 {
			p.bad = at + 2
			return false
		}
		yy, ok := p.field(0, 99)
		if !ok {
			return false
		}
		p.year, p.hasYear = 2000+yy, true
	}
	p.hasDay = true
	return true
}

func (p *timeParser) iso() bool {
	p.year, _ = p.digits(4)
	p.pos++
	var ok bool
	if digits(p.text[p.pos:]) != 2 {
		return false
	}
	if p.month, ok = p.field(1, 12); !ok {
		return false
	}
	if !p.next('-') {
		p.bad = p.pos
		return false
	}
	if digits(p.text[p.pos:]) != 2 {
		p.bad = p.pos - 1
		return false
	}
	if p.day, ok = p.field(1, 31); !ok {
		return false
	}
	p.hasDay, p.hasYear = true, true
	return true
}

// packed reads MMDD, MMD or MMDDYY out of k digits.
func (p *timeParser) packed(k int) bool {
	d := p.text[p.pos : p.pos+k]
	p.month, _ = strconv.Atoi(d[:2])
	if p.month < 1 || p.month > 12 {
		p.bad = p.pos
		return false
	}
	p.day, _ = strconv.Atoi(d[2:min(4, k)])
	switch {
	case p.day < 1 || p.day > 31:
		p.bad = p.pos + 2
		return false
	case k == 5 || k > 6:
		p.bad = p.pos + k
		return false
	}
	if k == 6 {
		yy, _ := strconv.Atoi(d[4:])
		p.year, p.hasYear = 2000+yy, true
	}
	p.hasDay = true
	p.pos += k
	return true
}

// resolve makes a moment of what was read and fills in what was left open.
func (p *timeParser) resolve() time.Time {
	y, m, d := p.now.Date()
	if !p.hasDay {
		t := time.Date(y, m, d, p.hour, p.minute, p.second, 0, p.now.Location())
		if !p.past && t.Before(p.now) {
			t = time.Date(y, m, d+1, p.hour, p.minute, p.second, 0, p.now.Location())
		}
		return t
	}
	if !p.hasYear {
		p.year = y
		if !p.past && (p.month < int(m) || p.month == int(m) && p.day < d) {
			p.year++
		}
	}
	return time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, 0, p.now.Location())
}
