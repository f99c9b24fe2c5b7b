package slurm

import (
	"errors"
	"testing"
	"time"
)

// monday is Monday 23 November 2026, 20:18:57 UTC.
var monday = time.Date(2026, 11, 23, 20, 18, 57, 5000, time.UTC)

func TestParseTimeAhead(t *testing.T) {
	for in, want := range map[string]string{
		"16:00":               "2026-11-24T16:00:00",
		"T10:00":              "2026-11-24T10:00:00",
		"-23:00":              "2026-11-23T23:00:00",
		"noonT":               "2026-11-24T12:00:00",
		"23:59":               "2026-11-23T23:59:00",
		"16:00:05":            "2026-11-24T16:00:05",
		"4:30pm":              "2026-11-24T16:30:00",
		"4:30 PM":             "2026-11-24T16:30:00",
		"04:30am":             "2026-11-24T04:30:00",
		"12:00am":             "2026-11-24T00:00:00",
		"12:00pm":             "2026-11-24T12:00:00",
		"0:00":                "2026-11-24T00:00:00",
		"010235":              "2035-01-02T00:00:00",
		"0102":                "2027-01-02T00:00:00",
		"1231":                "2026-12-31T00:00:00",
		"1123":                "2026-11-23T00:00:00",
		"01/02":               "2027-01-02T00:00:00",
		"12/31":               "2026-12-31T00:00:00",
		"01/02/35":            "2035-01-02T00:00:00",
		"01.02.35":            "2035-01-02T00:00:00",
		"01.02":               "2027-01-02T00:00:00",
		"01/02-10:11":         "2027-01-02T10:11:00",
		"01/02/35-10:11:12":   "2035-01-02T10:11:12",
		"2035-01-02":          "2035-01-02T00:00:00",
		"2035-01-02T03:04":    "2035-01-02T03:04:00",
		"2035-01-02T03:04:05": "2035-01-02T03:04:05",
		"2035-01-02 03:04":    "2035-01-02T03:04:00",
		"2035-01-02-03:04":    "2035-01-02T03:04:00",
		"now":                 "2026-11-23T20:18:57",
		"NOW":                 "2026-11-23T20:18:57",
		"now ":                "2026-11-23T20:18:57",
		"now+1":               "2026-11-23T20:18:58",
		"now+90":              "2026-11-23T20:20:27",
		"now+1hour":           "2026-11-23T21:18:57",
		"now+2HOURS":          "2026-11-23T22:18:57",
		"now + 1hour":         "2026-11-23T21:18:57",
		"now+ 1 hour":         "2026-11-23T21:18:57",
		"now-5minutes":        "2026-11-23T20:13:57",
		"now - 30 days":       "2026-10-24T20:18:57",
		"now+1week":           "2026-11-30T20:18:57",
		"now+1day":            "2026-11-24T20:18:57",
		"today":               "2026-11-23T00:00:00",
		"tomorrow":            "2026-11-24T00:00:00",
		"tomorrow 10:00":      "2026-11-24T10:00:00",
		"tomorrow-10:00":      "2026-11-24T10:00:00",
		"todayT10:00":         "2026-11-23T10:00:00",
		"today 23:30":         "2026-11-23T23:30:00",
		"midnight":            "2026-11-24T00:00:00",
		"noon":                "2026-11-24T12:00:00",
		"elevenses":           "2026-11-24T11:00:00",
		"fika":                "2026-11-24T15:00:00",
		"teatime":             "2026-11-24T16:00:00",
		"noon tomorrow":       "2026-11-24T12:00:00",
		"tomorrow noon":       "2026-11-24T12:00:00",
		"10:00 01/02/35":      "2035-01-02T10:00:00",
		"01/02/35 10:00":      "2035-01-02T10:00:00",
		"uts1900000000":       "2030-03-17T17:46:40",
		"2035-02-31":          "2035-03-03T00:00:00",
		"02/29":               "2027-03-01T00:00:00",
		"12/31/99":            "2099-12-31T00:00:00",
		"1970-01-01":          "1970-01-01T00:00:00",
		"1969-01-01T00:00:00": "1969-01-01T00:00:00",
	} {
		got, err := ParseTime(in, monday, false)
		if err != nil || FormatTime(got, "", monday) != want {
			t.Errorf("ParseTime(%q) = %v, %v; want %s", in, got, err, want)
		}
	}
}

func TestParseTimeBehind(t *testing.T) {
	for in, want := range map[string]string{
		"16:00":     "2026-11-23T16:00:00",
		"23:59":     "2026-11-23T23:59:00",
		"midnight":  "2026-11-23T00:00:00",
		"123":       "2026-12-03T00:00:00",
		"01/02/26-": "2026-01-02T00:00:00",
		"01/02":     "2026-01-02T00:00:00",
		"1231":      "2026-12-31T00:00:00",
		"now-7days": "2026-11-16T20:18:57",
		"tomorrow":  "2026-11-24T00:00:00",
	} {
		got, err := ParseTime(in, monday, true)
		if err != nil || FormatTime(got, "", monday) != want {
			t.Errorf("ParseTime(%q, past) = %v, %v; want %s", in, got, err, want)
		}
	}
}

func TestParseTimeRefusesWithThePosition(t *testing.T) {
	for in, pos := range map[string]int{
		"": -1, " ": -1, "T": -1, "someday": 0, "friday": 0, "24:00": 0, "25:00": 0, "10:60": 3, "10:10:60": 6, "13:00pm": 5, "13/01": 0, "00/10": 0,
		"2035-13-01": 5, "2035-01-32": 8, "2035-01-02T03": 13, "2035-01-02T03:04:05Z": 19, "2035-01-02T03:04:05.123": 19,
		"12/31/2040": 8, "1": 1, "12": 2, "10am": 2, "now+1h": 4, "now+5min": 4, "now+1month": 4, "now+-5": 3, "now+": 3, "now+1.5hours": 4,
		"noon+1hour": 4, "16:00+1hour": 5, "uts12x": 0, "uts": 0, "uts99999999999999": 0, "now+99999999999999": 3,
		"now+999999999999weeks": 4, "tomorrowx": 0, "2035-1-2": 0, "1331": 0, "today today": 6, "10:00 11:00": 6, "01/02 0102": 6, "TODAY": 1, "Tomorrow": 1, "now+60s": 5, "now+60 s": 6, "now+1hourx": 9, "now+60 seconds x": 15, "60": 0, "10:011": 6, "2035-01-0": 7,
		"10:00 A.M.": 6, "nowx": 3, "1577836800": 0, "12345": 2, "01012": 5, "0101201": 7, "0132": 2, "12:5": 4, "12:05:5": 7,
	} {
		got, err := ParseTime(in, monday, false)
		var te *TimeError
		if !errors.As(err, &te) || te.Pos != pos || !errors.Is(err, ErrnoInvalidTime) {
			t.Errorf("ParseTime(%q) = %v, %v; want an error at %d", in, got, err, pos)
		}
	}
	if _, err := ParseTime("someday", monday, false); err.Error() != "Invalid time specification (pos=0): someday" {
		t.Errorf("error %q", err)
	}
}

func TestParseTimeKeepsTheZone(t *testing.T) {
	zone := time.FixedZone("X", 5*3600+1800)
	got, err := ParseTime("2035-01-02T03:04:05", monday.In(zone), false)
	if err != nil || got.Unix() != time.Date(2035, 1, 2, 3, 4, 5, 0, zone).Unix() || FormatTime(got, "%z", monday) != "+0530" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFormatTimeRelative(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse("2006-01-02T15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for in, want := range map[string]string{
		"2026-11-23T21:02:24": "21:02:24",
		"2026-11-24T00:00:00": "Tomorr 00:00",
		"2026-11-22T23:59:59": "Ystday 23:59",
		"2026-11-25T20:22:00": "Wed 20:22",
		"2026-11-29T20:22:00": "Sun 20:22",
		"2026-11-17T20:22:00": "Tue 20:22",
		"2026-11-30T20:22:00": "30 Nov 20:22",
		"2026-12-13T20:22:00": "13 Dec 20:22",
		"2027-01-01T20:22:00": "1 Jan 2027",
		"2027-06-11T20:22:00": "11 Jun 2027",
	} {
		if got := FormatTime(at(in), "relative", monday); got != want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
	}
}

func TestStrftime(t *testing.T) {
	at := time.Date(2026, 11, 24, 0, 5, 9, 0, time.FixedZone("CET", 3600))
	for layout, want := range map[string]string{
		"%Y %s": "2026 1795475109", "%a %d %b %T %z": "Tue 24 Nov 00:05:09 +0100", "%H:%M": "00:05", "%": "%", "%Q": "%Q", "%Qx%%": "%Qx%",
		"%F_%R": "2026-11-24_00:05", "%Z": "CET", "%j": "328", "%U %W %V %G %g %u %w": "47 47 48 2026 26 2 2", "%I:%M %p %P": "12:05 AM am",
		"%-d/%-m/%y": "24/11/26", "%e": "24", "%k|%l|%_H": " 0|12| 0", "%c": "Tue Nov 24 00:05:09 2026", "%D %x %X": "11/24/26 11/24/26 00:05:09",
		"%A %B %C %h": "Tuesday November 20 Nov", "%^a": "TUE", "%n%t": "\n\t", "%Ey %Od": "26 24", "%5Y|%010Y": "02026|0000002026", "a%": "a%", "%5": "%5",
		"%r": "12:05:09 AM", "x": "x",
	} {
		if got := Strftime(at, layout); got != want {
			t.Errorf("Strftime(%q) = %q, want %q", layout, got, want)
		}
	}
	for in, ok := range map[string]bool{"": true, "standard": true, "relative": true, "%s": true, "default": false} {
		if err := CheckTimeFormat(in); (err == nil) != ok {
			t.Errorf("CheckTimeFormat(%q) = %v", in, err)
		}
	}
	if got := FormatTime(at, "default", at); got != "2026-11-24T00:05:09" {
		t.Errorf("an unknown format prints %q", got)
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"16:00", "now+1hour", "01/02/35-10:11:12", "tomorrow noon", "2035-01-02T03:04:05", "uts1", "010235"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, past bool) {
		at, err := ParseTime(s, monday, past)
		if err != nil {
			var te *TimeError
			if !errors.As(err, &te) || te.Pos < 0 || te.Pos > len(s) {
				t.Fatalf("ParseTime(%q): position %d", s, te.Pos)
			}
			return
		}
		if at.Year() < 0 || at.Year() > 9999 {
			return
		}
		text := FormatTime(at, "standard", monday)
		if back, err := ParseTime(text, monday, past); err != nil || !back.Equal(at) {
			t.Fatalf("%q is %s, which reads as %v, %v", s, text, back, err)
		}
	})
}
