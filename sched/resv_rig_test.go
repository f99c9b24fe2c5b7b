package sched

import (
	"cmp"
	"strconv"
	"time"
)

// addReservation makes a reservation as a story tells of it.
func (s *story) addReservation(name string, w words) error {
	start := s.now
	if w["starts"] != "" {
		d, err := time.ParseDuration(w["starts"])
		if err != nil {
			return err
		}
		start = s.start.Add(d)
	}
	list := []ResvWord{{"starttime", "=", utsOf(start)}, {"duration", "=", cmp.Or(w["for"], "60")}}
	for word, key := range map[string]string{"nodes": "nodes", "count": "nodecnt", "cores": "corecnt", "flags": "flags", "accounts": "accounts",
		"partition": "partitionname", "features": "features", "licences": "licenses", "groups": "groups"} {
		if w[word] != "" {
			list = append(list, ResvWord{key, "=", w[word]})
		}
	}
	if w["accounts"] == "" || w["users"] != "" {
		list = append(list, ResvWord{"users", "=", cmp.Or(w["users"], "u1000")})
	}
	if d, err := time.ParseDuration(w["for"]); err == nil {
		list[1].Value = "0:" + strconv.Itoa(int(d/time.Second))
	}
	r, err := MakeReservation(s.view(), list, s.now)
	if err != nil {
		return err
	}
	r.Name, r.ID = name, uint32(len(s.resvs)+1)
	s.resvs = append(s.resvs, r)
	return nil
}

func utsOf(t time.Time) string { return "uts" + strconv.FormatInt(t.Unix(), 10) }
