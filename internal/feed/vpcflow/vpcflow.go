// Package vpcflow reads VPC flow logs: which addresses talked to which, as the
// network of AWS saw it. It reads the default format and every format of one's
// own whose header line names its fields, plain or compressed.
package vpcflow

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Flow is one record that was accepted.
type Flow struct {
	Source, Destination         netip.Addr
	SourcePort, DestinationPort uint16
	Protocol                    uint8 // its number: 6 is TCP
}

// defaultFields are the fields of the default format, version 2. Source: the
// Amazon VPC user guide, flow log records.
var defaultFields = strings.Fields("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status")

// maxLine bounds one line: a record has some hundred bytes.
const maxLine = 64 << 10

// ReadPath reads a file, or every file of a folder, and calls add for every
// record of traffic that was accepted.
func ReadPath(ctx context.Context, path string, add func(Flow)) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("reading flow logs %s: %w", path, cause(err))
	}
	if !info.IsDir() {
		return readFile(ctx, path, add)
	}
	return filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading flow logs %s: %w", name, cause(err))
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return readFile(ctx, name, add)
	})
}

func readFile(ctx context.Context, name string, add func(Flow)) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("reading flow logs %s: %w", name, cause(err))
	}
	defer f.Close()
	if err := Read(ctx, f, add); err != nil {
		return fmt.Errorf("reading flow logs %s: %w", name, err)
	}
	return nil
}

func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Read reads records, one a line. A first line that begins with the name of a
// field names them all. Records that carry no data, or were rejected, are passed
// over; a line that is no record is an error with its number.
func Read(ctx context.Context, r io.Reader, add func(Flow)) error {
	in := bufio.NewReaderSize(r, 1<<16)
	if magic, _ := in.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		defer z.Close()
		in = bufio.NewReaderSize(z, 1<<16)
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	var l layout
	l.set(defaultFields)
	for n := 1; lines.Scan(); n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		fields := strings.Fields(line)
		if n == 1 && isHeader(fields) {
			if err := l.set(fields); err != nil {
				return fmt.Errorf("line 1: %w", err)
			}
			continue
		}
		flow, ok, err := l.parse(fields)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if ok {
			add(flow)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return nil
}

func isHeader(fields []string) bool {
	for _, f := range fields {
		if f == "srcaddr" || f == "dstaddr" {
			return true
		}
	}
	return false
}

// A layout is the position of each field that is read, -1 for none.
type layout struct {
	source, destination, sourcePort, destinationPort, protocol, action, status int
	// packetSource and packetDestination are the addresses within the packet,
	// where an interface in between has addresses of its own.
	packetSource, packetDestination int
	fields                          int
}

func (l *layout) set(names []string) error {
	at := func(name string) int {
		for i, n := range names {
			if n == name {
				return i
			}
		}
		return -1
	}
	*l = layout{
		source: at("srcaddr"), destination: at("dstaddr"), sourcePort: at("srcport"), destinationPort: at("dstport"), protocol: at("protocol"),
		action: at("action"), status: at("log-status"), packetSource: at("pkt-srcaddr"), packetDestination: at("pkt-dstaddr"), fields: len(names),
	}
	for name, i := range map[string]int{"srcaddr": l.source, "dstaddr": l.destination, "srcport": l.sourcePort, "dstport": l.destinationPort, "protocol": l.protocol} {
		if i < 0 {
			return fmt.Errorf("the format has no field %s", name)
		}
	}
	return nil
}

func (l *layout) parse(fields []string) (f Flow, ok bool, err error) {
	if len(fields) != l.fields {
		return f, false, fmt.Errorf("a record has %d fields, this line has %d", l.fields, len(fields))
	}
	if l.status >= 0 && fields[l.status] != "OK" || l.action >= 0 && fields[l.action] != "ACCEPT" {
		return f, false, nil
	}
	source, destination := fields[l.source], fields[l.destination]
	if l.packetSource >= 0 && fields[l.packetSource] != "-" {
		source = fields[l.packetSource]
	}
	if l.packetDestination >= 0 && fields[l.packetDestination] != "-" {
		destination = fields[l.packetDestination]
	}
	if source == "-" || destination == "-" || fields[l.protocol] == "-" {
		return f, false, nil
	}
	if f.Source, err = netip.ParseAddr(source); err != nil {
		return f, false, fmt.Errorf("%q is no address", source)
	}
	if f.Destination, err = netip.ParseAddr(destination); err != nil {
		return f, false, fmt.Errorf("%q is no address", destination)
	}
	protocol, err := strconv.ParseUint(fields[l.protocol], 10, 8)
	if err != nil {
		return f, false, fmt.Errorf("%q is no protocol number", fields[l.protocol])
	}
	f.Protocol = uint8(protocol)
	for _, p := range []struct {
		text string
		to   *uint16
	}{{fields[l.sourcePort], &f.SourcePort}, {fields[l.destinationPort], &f.DestinationPort}} {
		n, err := strconv.ParseUint(p.text, 10, 16)
		if err != nil {
			return f, false, fmt.Errorf("%q is no port", p.text)
		}
		*p.to = uint16(n)
	}
	return f, true, nil
}

// MaxConnections bounds what a Summary keeps: ports and addresses are chosen by
// whoever sends packets.
const MaxConnections = 1 << 20

// A Summary counts records by connection. The port that a client chose, which
// differs with every connection, is kept as 65535 where it is one.
type Summary struct {
	counts  map[Flow]int
	dropped int
}

// NewSummary returns an empty summary.
func NewSummary() *Summary { return &Summary{counts: map[Flow]int{}} }

// firstEphemeral is the first port that clients choose by default on Linux.
const firstEphemeral = 32768

// Add counts a record.
func (s *Summary) Add(f Flow) {
	if f.SourcePort >= firstEphemeral && f.DestinationPort < firstEphemeral {
		f.SourcePort = 65535
	}
	if f.DestinationPort >= firstEphemeral && f.SourcePort < firstEphemeral {
		f.DestinationPort = 65535
	}
	if _, ok := s.counts[f]; !ok && len(s.counts) >= MaxConnections {
		s.dropped++
		return
	}
	s.counts[f]++
}

// All returns the connections and how often each was seen, in no order.
func (s *Summary) All() iter.Seq2[Flow, int] {
	return func(yield func(Flow, int) bool) {
		for f, n := range s.counts {
			if !yield(f, n) {
				return
			}
		}
	}
}

// Dropped returns how many records were not kept.
func (s *Summary) Dropped() int { return s.dropped }
