package gpu

import "testing"

func TestParseClocks(t *testing.T) {
	for text, want := range map[string]Clocks{
		"high": {Graphics: "high"}, "memory=low,1200,verbose": {Memory: "low", Graphics: "1200", Verbose: true}, "highm1,memory=medium": {Memory: "medium", Graphics: "highm1"},
		"verbose": {Verbose: true},
	} {
		if got, err := ParseClocks(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "fast", "memory=", "video=low", "0", "-3", "high,"} {
		if got, err := ParseClocks(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestChooseClock(t *testing.T) {
	have := []int{1410, 1395, 810, 510, 210}
	for word, want := range map[string]int{"low": 210, "medium": 810, "high": 1410, "highm1": 1395, "": 1410, "500": 510, "660": 810, "1": 210, "9999": 1410} {
		if got := ChooseClock(have, word); got != want {
			t.Errorf("%q: %d, want %d", word, got, want)
		}
	}
	if ChooseClock(nil, "low") != 0 || ChooseClock([]int{5}, "highm1") != 5 {
		t.Error("few clocks")
	}
}
