package slurm

import (
	"errors"
	"testing"
)

func TestParseMB(t *testing.T) {
	for _, c := range []struct {
		in   string
		want MB
		text string
	}{
		{"0", 0, "0"}, {"1", 1, "1M"}, {"100", 100, "100M"}, {"1023", 1023, "1023M"}, {"1024", 1024, "1G"}, {"1025", 1025, "1025M"},
		{"1536", 1536, "1.50G"}, {"64000", 64000, "62.50G"}, {"63999", 63999, "63999M"}, {"100000", 100000, "100000M"},
		{"102400", 102400, "100G"}, {"1048576", 1 << 20, "1T"}, {"1572864", 1572864, "1.50T"}, {"1049088", 1049088, "1024.50G"}, {"1g", 1024, "1G"}, {"10GB", 10240, "10G"},
		{"1gb", 1024, "1G"}, {"1T", 1 << 20, "1T"}, {"1P", 1 << 30, "1P"}, {"500K", 1, "1M"}, {"1k", 1, "1M"}, {"1500K", 2, "2M"},
		{"1024K", 1, "1M"}, {"2MB", 2, "2M"}, {"0K", 0, "0"},
	} {
		got, err := ParseMB(c.in)
		if err != nil || got != c.want || got.String() != c.text {
			t.Errorf("ParseMB(%q) = %d %s, %v; want %d %s", c.in, got, got, err, c.want, c.text)
		}
	}
	if s := MB(64000).Raw(); s != "64000M" {
		t.Errorf("Raw prints %s", s)
	}
}

func TestParseMBRefuses(t *testing.T) {
	for _, in := range []string{"", "x", "-5", "1.5G", "1x", "1E", "2mib", "1GBx", "1 G", "B", "1B", "99999999999999999999", "9999999999T", "1125899906842625"} {
		if got, err := ParseMB(in); err == nil || errors.Is(err, ErrnoOK) {
			t.Errorf("ParseMB(%q) = %d, want it refused", in, got)
		}
	}
}

func TestFormatUnits(t *testing.T) {
	for _, c := range []struct {
		n          int64
		orig, want byte
		exact      bool
		text       string
	}{
		{0, 'M', 0, true, "0"}, {0, 'K', 'G', false, "0"}, {12345, 'K', 0, true, "12345K"}, {12345, 'K', 0, false, "12.06M"}, {12345, 'K', 'M', true, "12.06M"},
		{8, 'G', 'M', true, "8192M"}, {1 << 20, 0, 0, true, "1M"}, {1000, 0, 0, true, "1000"}, {1, 'M', 'G', true, "0.00G"}, {-2048, 'M', 0, true, "-2G"},
		{1 << 62, 0, 0, true, "4E"},
	} {
		if got := FormatUnits(c.n, c.orig, c.want, c.exact); got != c.text {
			t.Errorf("FormatUnits(%d, %q, %q, %v) = %s, want %s", c.n, c.orig, c.want, c.exact, got, c.text)
		}
	}
}

func TestParseCount(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "1": 1, "1k": 1024, "2K": 2048, "1m": 1 << 20, "3G": 3 << 30, "1kb": 1024, "1p": 1 << 50} {
		if got, err := ParseCount(in); err != nil || got != want {
			t.Errorf("ParseCount(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "x", "-1", "1x", "1kk", "1b", "1.5k", "99999999999999999999", "9999999999999P"} {
		if got, err := ParseCount(in); err == nil {
			t.Errorf("ParseCount(%q) = %d, want it refused", in, got)
		}
	}
}

func FuzzMB(f *testing.F) {
	for _, s := range []string{"1", "64000", "1536M", "1gb", "3P"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMB(s)
		if err != nil {
			return
		}
		if m < 0 || m > maxMB {
			t.Fatalf("ParseMB(%q) = %d", s, m)
		}
		if back, err := ParseMB(m.Raw()); err != nil || back != m {
			t.Fatalf("%q prints as %s, which reads as %d, %v", s, m.Raw(), back, err)
		}
	})
}
