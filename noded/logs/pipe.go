package logs

import (
	"bytes"
	"time"
)

// Write passes on output that is in no file, as it comes. What there is no room
// for is left out, and the next line says how much that was.
func (s *Shipper) Write(m Meta, data []byte) {
	id := m.ID()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pipes[id]
	if p == nil {
		p = &pipe{of: m}
		s.pipes[id] = p
	}
	if s.held+int64(s.size) >= s.opt.Room {
		p.skipped += int64(len(p.rest) + len(data))
		p.offset += int64(len(p.rest) + len(data))
		p.rest = nil
		return
	}
	now := time.Now().UnixNano()
	text := append(p.rest, data...)
	for len(text) > 0 {
		n := bytes.IndexByte(text, '\n')
		line, size := text, len(text)
		switch {
		case n >= 0 && n < maxLine:
			line, size = text[:n], n+1
		case len(text) >= maxLine:
			line, size = text[:maxLine], maxLine
		default:
			p.rest = bytes.Clone(text)
			return
		}
		s.addLocked(record{Source: m, At: now, Offset: p.offset, Line: bytes.Clone(line), Skipped: p.skipped}, "", 0)
		p.offset, p.skipped, text = p.offset+int64(size), 0, text[size:]
	}
	p.rest = nil
}
