// Package lz4 packs a block of bytes in the LZ4 block format and unpacks it
// again: sequences of literals and of copies of what came before.
package lz4

import (
	"encoding/binary"
	"errors"
)

const (
	shortest  = 4       // the shortest copy
	farthest  = 1 << 16 // a copy reaches back less than this
	lastBytes = 5       // that many at the end are literals
	noCopy    = 12      // no copy begins in that many at the end
	hashBits  = 14
)

// ErrCorrupt is what a block that cannot be unpacked is refused with.
var ErrCorrupt = errors.New("a block of compressed data is damaged")

// Pack appends src, packed, to dst. What cannot be made smaller grows a little.
func Pack(dst, src []byte) []byte {
	var table [1 << hashBits]int32 // places + 1, by the hash of four bytes
	at, from := 0, 0               // where a copy is sought, and the first literal not written
	for at+noCopy < len(src) {
		word := binary.LittleEndian.Uint32(src[at:])
		slot := word * 2654435761 >> (32 - hashBits)
		seen := int(table[slot]) - 1
		table[slot] = int32(at + 1)
		if seen < 0 || at-seen >= farthest || binary.LittleEndian.Uint32(src[seen:]) != word {
			at += 1 + (at-from)>>6 // what does not pack is passed over the faster the longer it lasts
			continue
		}
		n := shortest
		for at+n < len(src)-lastBytes && src[seen+n] == src[at+n] {
			n++
		}
		dst = sequence(dst, src[from:at], n-shortest, true)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(at-seen))
		dst = length(dst, n-shortest)
		at += n
		from = at
	}
	return sequence(dst, src[from:], 0, false)
}

// sequence appends the head of a sequence and its literals.
func sequence(dst, literals []byte, more int, copies bool) []byte {
	token := byte(min(len(literals), 15) << 4)
	if copies {
		token |= byte(min(more, 15))
	}
	dst = length(append(dst, token), len(literals))
	return append(dst, literals...)
}

// length appends what of n has no room in a token.
func length(dst []byte, n int) []byte {
	if n < 15 {
		return dst
	}
	for n -= 15; n >= 255; n -= 255 {
		dst = append(dst, 255)
	}
	return append(dst, byte(n))
}

// Unpack returns the block that was packed, which is size bytes long.
func Unpack(src []byte, size int) ([]byte, error) {
	if size < 0 || size > 255*len(src) { // no block packs better
		return nil, ErrCorrupt
	}
	dst := make([]byte, 0, size)
	for {
		if len(src) == 0 {
			return nil, ErrCorrupt
		}
		token := src[0]
		src = src[1:]
		n, ok := 0, false
		if n, src, ok = readLength(int(token>>4), src); !ok || n > len(src) || n > size-len(dst) {
			return nil, ErrCorrupt
		}
		dst, src = append(dst, src[:n]...), src[n:]
		if len(src) == 0 {
			if len(dst) != size {
				return nil, ErrCorrupt
			}
			return dst, nil
		}
		if len(src) < 2 {
			return nil, ErrCorrupt
		}
		back := int(binary.LittleEndian.Uint16(src))
		if n, src, ok = readLength(int(token&15), src[2:]); !ok || back == 0 || back > len(dst) || n > size-len(dst)-shortest {
			return nil, ErrCorrupt
		}
		for range n + shortest { // a copy may reach into itself
			dst = append(dst, dst[len(dst)-back])
		}
	}
}

func readLength(n int, src []byte) (int, []byte, bool) {
	if n < 15 {
		return n, src, true
	}
	for {
		if len(src) == 0 {
			return 0, nil, false
		}
		b := src[0]
		src = src[1:]
		n += int(b)
		if b != 255 {
			return n, src, true
		}
	}
}
