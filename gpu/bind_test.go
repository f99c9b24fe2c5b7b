package gpu

import (
	"reflect"
	"strings"
	"testing"
)

func TestBind(t *testing.T) {
	near := [][]int{{0, 1}, {0, 1}, {2, 3}, {2, 3}}
	for _, c := range []struct {
		name, spec  string
		gpus, tasks int
		cpus        [][]int
		want        [][]int
		wrong       int // how many tasks did not get what was asked for
	}{
		{"NotAsked", "", 4, 2, nil, nil, 0},
		{"None", "none", 4, 2, nil, nil, 0},
		{"OneEach", "single:1", 2, 4, nil, [][]int{{0}, {1}, {0}, {1}}, 0},
		{"TwoTasksAGPU", "verbose,single:2", 2, 4, nil, [][]int{{0}, {0}, {1}, {1}}, 0},
		{"TwoGPUsATask", "per_task:2", 4, 2, nil, [][]int{{0, 1}, {2, 3}}, 0},
		{"MoreAskedThanThere", "per_task:2", 4, 4, nil, [][]int{{0, 1}, {2, 3}, {0}, {0}}, 2},
		{"Map", "map_gpu:1,0", 2, 3, nil, [][]int{{1}, {0}, {1}}, 0},
		{"MapCounts", "map_gpu:1*2,3*2", 4, 4, nil, [][]int{{1}, {1}, {3}, {3}}, 0},
		{"MapBeyond", "map_gpu:7", 2, 1, nil, [][]int{{0}}, 1},
		{"Mask", "mask_gpu:0x3,4", 4, 2, nil, [][]int{{0, 1}, {2}}, 0},
		{"MaskCounts", "mask_gpu:1*2,2*2", 4, 4, nil, [][]int{{0}, {0}, {1}, {1}}, 0},
		{"MaskBeyond", "mask_gpu:f0", 4, 2, nil, [][]int{{0}, {0}}, 2},
		{"Closest", "closest", 4, 3, [][]int{{0}, {3}, nil}, [][]int{{0, 1}, {2, 3}, {0, 1, 2, 3}}, 0},
		{"NoGPU", "single:1", 0, 2, nil, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got [][]int
			wrong := 0
			for _, b := range Bind(c.spec, c.gpus, c.tasks, near, c.cpus) {
				got = append(got, b.See)
				if b.Why != "" {
					wrong++
				}
			}
			if !reflect.DeepEqual(got, c.want) || wrong != c.wrong {
				t.Errorf("got %v, %d wrong, want %v, %d", got, wrong, c.want, c.wrong)
			}
		})
	}
}

func TestBindWords(t *testing.T) {
	got := strings.Join(BindWords("verbose,map_gpu:7", 2, Bound{See: []int{0}, Why: "Invalid --gpu-bind= value specified."}, []int{2, 3}, []int{0, 1}), "\n")
	want := `slurmstepd: error: Invalid --gpu-bind= value specified.
slurmstepd: error: Bind request gpu:verbose,map_gpu:7 does not specify any devices within the allocation for task 2. Binding to the first device in the allocation instead.
gpu-bind: usable_gres=0x4; bit_alloc=0xC; local_inx=0; global_list=2; local_list=0`
	if got != want {
		t.Errorf("got %s", got)
	}
	if w := BindWords("single:1", 0, Bound{See: []int{0}}, []int{0}, []int{0}); w != nil {
		t.Errorf("words nobody asked for: %v", w)
	}
}
