//go:build !race

package slice

// argOffset is where above the stack pointer a function finds its arguments.
const argOffset = 0
