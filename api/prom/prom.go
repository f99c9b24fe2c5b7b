// Package prom writes the text format of Prometheus.
package prom

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Writer gathers figures. The zero value is empty.
type Writer struct {
	list []prometheus.Metric
}

// Gauge adds a figure that goes up and down; labels are names and values in turn.
func (w *Writer) Gauge(name, help string, value float64, labels ...string) {
	w.add(prometheus.GaugeValue, name, help, value, labels)
}

// Counter adds a figure that only goes up, until who counts it is started again.
func (w *Writer) Counter(name, help string, value float64, labels ...string) {
	w.add(prometheus.CounterValue, name, help, value, labels)
}

func (w *Writer) add(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	names, values := make([]string, 0, len(labels)/2), make([]string, 0, len(labels)/2)
	for pair := range slices.Chunk(labels, 2) {
		names, values = append(names, pair[0]), append(values, strings.ToValidUTF8(pair[1], "?"))
	}
	w.list = append(w.list, prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, value, values...))
}

// Describe and Collect make it a collector that says nothing beforehand.
func (w *Writer) Describe(chan<- *prometheus.Desc) {}
func (w *Writer) Collect(to chan<- prometheus.Metric) {
	for _, m := range w.list {
		to <- m
	}
}

// Text is all that was gathered, in order of names.
func (w *Writer) Text() ([]byte, error) {
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(w); err != nil {
		return nil, err
	}
	families, err := r.Gather()
	if err != nil {
		return nil, fmt.Errorf("cannot gather the metrics: %w", err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
