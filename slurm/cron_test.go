package slurm

import (
	"testing"
	"time"
)

func TestCronNext(t *testing.T) {
	at := time.Date(2035, 3, 4, 12, 0, 30, 0, time.UTC) // a Sunday
	for _, c := range []struct{ spec, want string }{
		{"* * * * *", "2035-03-04T12:01"}, {"*/15 * * * *", "2035-03-04T12:15"}, {"0 * * * *", "2035-03-04T13:00"}, {"@hourly", "2035-03-04T13:00"},
		{"0 12 * * *", "2035-03-05T12:00"}, {"30 4 1,15 * *", "2035-03-15T04:30"}, {"5 4 * * sun", "2035-03-11T04:05"}, {"5 4 * * 7", "2035-03-11T04:05"},
		{"0 0 13 * fri", "2035-03-09T00:00"}, {"0 22 * * mon-fri", "2035-03-05T22:00"}, {"23 0-23/2 * * *", "2035-03-04T12:23"},
		{"0 0 29 2 *", "2036-02-29T00:00"}, {"@yearly", "2036-01-01T00:00"}, {"@monthly", "2035-04-01T00:00"}, {"@weekly", "2035-03-11T00:00"},
		{"1,2,59 12 * * *", "2035-03-04T12:01"}, {"10-20/5 * * DEC *", "2035-12-01T00:10"}, {"@fika", "2035-03-04T15:00"}, {"5/20 * * * *", "2035-03-04T12:05"},
	} {
		s, err := ParseCron(c.spec)
		if err != nil {
			t.Errorf("%q: %v", c.spec, err)
			continue
		}
		if got := s.Next(at).Format("2006-01-02T15:04"); got != c.want {
			t.Errorf("%q after %s: %s, want %s", c.spec, at, got, c.want)
		}
	}
	for _, bad := range []string{"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "@reboot", "a * * * *", "0 0 31 2 *", "* * * * * *"} {
		if s, err := ParseCron(bad); err == nil {
			t.Errorf("%q is read as %v", bad, s)
		}
	}
}

func TestCronAcrossAChangeOfTheClock(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("no time zones here: %v", err)
	}
	daily, _ := ParseCron("30 2 * * *")
	// On 25 March 2035 there is no 02:30.
	if got := daily.Next(time.Date(2035, 3, 25, 0, 0, 0, 0, zone)); got.Format("01-02 15:04") != "03-26 02:30" {
		t.Errorf("next is %s", got)
	}
	hourly, _ := ParseCron("0 * * * *")
	at := time.Date(2035, 10, 28, 0, 30, 0, 0, zone)
	for i := range 4 { // 01:00, 02:00, 02:00 again, 03:00
		next := hourly.Next(at)
		if i > 0 && next.Sub(at) != time.Hour {
			t.Errorf("after %s comes %s", at, next)
		}
		at = next
	}
}

func TestCronLine(t *testing.T) {
	s, cmd, err := CronLineSpec("  */5\t0 * * *   echo  a  b # c")
	if err != nil || s.String() != "*/5 0 * * *" || cmd != "echo  a  b # c" {
		t.Errorf("%v, %q, %v", s, cmd, err)
	}
	if s, cmd, err = CronLineSpec("@daily job.sh x"); err != nil || s.String() != "@daily" || cmd != "job.sh x" {
		t.Errorf("%v, %q, %v", s, cmd, err)
	}
	for _, bad := range []string{"@daily", "* * * * *", "* * * * true", "@never x"} {
		if _, _, err := CronLineSpec(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func FuzzCron(f *testing.F) {
	f.Add("*/5 1-3 * jan mon,fri")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseCron(text)
		if err != nil {
			return
		}
		again, err := ParseCron(s.String())
		if err != nil || again != s {
			t.Errorf("%q reads as %v, which reads as %v, %v", text, s, again, err)
		}
		at := time.Date(2035, 3, 4, 12, 0, 0, 0, time.UTC)
		if next := s.Next(at); !next.After(at) {
			t.Errorf("%q is due at %s", text, next)
		}
	})
}
