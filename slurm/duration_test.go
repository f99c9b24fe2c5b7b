package slurm

import (
	"errors"
	"math"
	"testing"
)

func TestParseDuration(t *testing.T) {
	for _, c := range []struct {
		in          string
		want        Duration
		long, short string
	}{
		{"1", 60, "00:01:00", "1:00"},
		{"90", 5400, "01:30:00", "1:30:00"},
		{"1:30", 90, "00:01:30", "1:30"},
		{"0:600", 600, "00:10:00", "10:00"},
		{"0:5:0", 300, "00:05:00", "5:00"},
		{"01:02:03", 3723, "01:02:03", "1:02:03"},
		{"2-3", 2*86400 + 3*3600, "2-03:00:00", "2-03:00:00"},
		{"2-3:4", 2*86400 + 3*3600 + 240, "2-03:04:00", "2-03:04:00"},
		{"1-2:3:4", 86400 + 2*3600 + 3*60 + 4, "1-02:03:04", "1-02:03:04"},
		{"1-24", 2 * 86400, "2-00:00:00", "2-00:00:00"},
		{"1-", 86400, "1-00:00:00", "1-00:00:00"},
		{"100:00:00", 360000, "4-04:00:00", "4-04:00:00"},
		{"5000", 300000, "3-11:20:00", "3-11:20:00"},
		{"0", 0, "00:00:00", "0:00"},
		{"-1", Unlimited, "UNLIMITED", "UNLIMITED"},
		{"-5", Unlimited, "UNLIMITED", "UNLIMITED"},
		{"infinite", Unlimited, "UNLIMITED", "UNLIMITED"},
		{"UNLIMITED", Unlimited, "UNLIMITED", "UNLIMITED"},
		{"2147483647", Unlimited, "UNLIMITED", "UNLIMITED"},
		{"99999999999999999999999:0:0", Unlimited, "UNLIMITED", "UNLIMITED"},
		{"99999999999999999999999-99999999999999999999999:99999999999999999999999:99999999999999999999999", Unlimited, "UNLIMITED", "UNLIMITED"},
	} {
		got, err := ParseDuration(c.in)
		if err != nil || got != c.want || got.String() != c.long || got.Short() != c.short {
			t.Errorf("ParseDuration(%q) = %d %s %s, %v; want %d %s %s", c.in, got, got, got.Short(), err, c.want, c.long, c.short)
		}
	}
}

func TestParseDurationRefuses(t *testing.T) {
	for _, in := range []string{"", " 5", "5 ", "+5", "abc", "1h", "1:2:3:4", "1-2-3", "1-2:", ":1", "1:", ":", "1::2", "--5", "-1:0", "1:-1", "1-:", "-", "INFINIT", "1.5", "1-2:3:4:5"} {
		if d, err := ParseDuration(in); !errors.Is(err, ErrnoInvalidTimeLimit) {
			t.Errorf("ParseDuration(%q) = %v, %v; want it refused", in, d, err)
		}
	}
	_, err := ParseDuration("1-12:x")
	const want = `"1-12:x" is not a duration: minutes "x" (want [days-]hours[:minutes[:seconds]], minutes[:seconds] or UNLIMITED)`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestDurationMinutes(t *testing.T) {
	for _, c := range []struct {
		in      Duration
		minutes int64
		rounded Duration
	}{{0, 0, 0}, {1, 1, 60}, {60, 1, 60}, {61, 2, 120}, {89, 2, 120}, {Unlimited, math.MaxInt64, Unlimited}, {Unlimited - 1, math.MaxInt64/60 + 1, Unlimited}} {
		if m, r := c.in.Minutes(), c.in.RoundUp(); m != c.minutes || r != c.rounded {
			t.Errorf("%d: Minutes %d RoundUp %d, want %d %d", c.in, m, r, c.minutes, c.rounded)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1", "1:30", "01:02:03", "2-3:4:5", "UNLIMITED", "-1", "1-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("ParseDuration(%q) = %d", s, d)
		}
		if back, err := ParseDuration(d.String()); err != nil || back != d {
			t.Fatalf("%q prints as %s, which reads as %d, %v", s, d, back, err)
		}
		if r := d.RoundUp(); r < d || r != Unlimited && r%60 != 0 {
			t.Fatalf("RoundUp of %d is %d", d, r)
		}
	})
}
