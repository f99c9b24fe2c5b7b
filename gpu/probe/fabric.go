//go:build cgo

package probe

import (
	"encoding/hex"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/runink/rink/gpu"
)

// Fabric tells of which fabric the machine's GPUs are; false where they are of none,
// or of several.
func (l *Library) Fabric() (gpu.Fabric, bool) {
	devs, err := l.devices()
	if err != nil || !l.can("nvmlDeviceGetGpuFabricInfoV") {
		return gpu.Fabric{}, false
	}
	var one gpu.Fabric
	for i, d := range devs {
		if d == nil {
			continue
		}
		info, ret := d.GetGpuFabricInfoV().V2()
		if ret != nvml.SUCCESS || info.State != nvml.GPU_FABRIC_STATE_COMPLETED || info.Status != uint32(nvml.SUCCESS) || info.ClusterUuid == [16]uint8{} {
			return gpu.Fabric{}, false
		}
		f := gpu.Fabric{Cluster: hex.EncodeToString(info.ClusterUuid[:]), Clique: info.CliqueId}
		if i > 0 && one.Cluster != "" && f != one {
			return gpu.Fabric{}, false
		}
		one = f
	}
	return one, one.Cluster != ""
}
