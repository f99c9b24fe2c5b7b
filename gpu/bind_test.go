package gpu

import (
	"reflect"
	"testing"
)

func TestBind(t *testing.T) {
	near := [][]int{{0, 1}, {0, 1}, {2, 3}, {2, 3}}
	for _, c := range []struct {
		name, spec  string
		gpus, tasks int
		cpus        [][]int
		want        [][]int
	}{
		{"NotAsked", "", 4, 2, nil, nil},
		{"None", "none", 4, 2, nil, nil},
		{"OneEach", "single:1", 2, 4, nil, [][]int{{0}, {1}, {0}, {1}}},
		{"TwoTasksAGPU", "verbose,single:2", 2, 4, nil, [][]int{{0}, {0}, {1}, {1}}},
		{"TwoGPUsATask", "per_task:2", 4, 2, nil, [][]int{{0, 1}, {2, 3}}},
		{"MoreAskedThanThere", "per_task:3", 2, 2, nil, [][]int{{0, 1}, {0, 1}}},
		{"Map", "map_gpu:1,0", 2, 3, nil, [][]int{{1}, {0}, {1}}},
		{"MapBeyond", "map_gpu:7", 2, 1, nil, [][]int{{0, 1}}},
		{"Mask", "mask_gpu:0x3,4", 4, 2, nil, [][]int{{0, 1}, {2}}},
		{"Closest", "closest", 4, 3, [][]int{{0}, {3}, nil}, [][]int{{0, 1}, {2, 3}, {0, 1, 2, 3}}},
		{"NoGPU", "single:1", 0, 2, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Bind(c.spec, c.gpus, c.tasks, near, c.cpus); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
