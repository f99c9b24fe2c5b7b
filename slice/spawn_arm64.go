//go:build !race

package slice

// argOffset is where above the stack pointer a function finds its arguments:
// the first word is for the return address.
const argOffset = 8
