package gpu

// Fabric is the set of GPUs on several machines that NVLinks tie to each other.
type Fabric struct {
	Cluster string // the UUID of the fabric, in hexadecimal digits
	Clique  uint32 // the part of it within which all can reach each other
}
