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
	"math"
	"net/netip"
	"os"
	"path/filepath"
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
	p := parser{addresses: map[string]netip.Addr{}}
	if err := p.set(defaultFields); err != nil {
		return err
	}
	for n := 1; lines.Scan(); n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		p.split(lines.Bytes())
		if len(p.line) == 0 {
			continue
		}
		if n == 1 && isHeader(p.line) {
			names := make([]string, len(p.line))
			for i, f := range p.line {
				names[i] = string(f)
			}
			if err := p.set(names); err != nil {
				return fmt.Errorf("line 1: %w", err)
			}
			continue
		}
		flow, ok, err := p.parse(p.line)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if ok {
			add(flow)
		}
	}
	return lines.Err()
}

func isHeader(fields [][]byte) bool {
	for _, f := range fields {
		if string(f) == "srcaddr" || string(f) == "dstaddr" {
			return true
		}
	}
	return false
}

// A parser reads lines of one layout.
type parser struct {
	layout
	line      [][]byte              // the fields of the line
	addresses map[string]netip.Addr // that were met: few addresses make many records
}

// maxAddresses bounds what a parser remembers.
const maxAddresses = 1 << 14

// split cuts a line into its fields.
func (p *parser) split(line []byte) {
	p.line = p.line[:0]
	for i := 0; i < len(line); {
		if isSpace(line[i]) {
			i++
			continue
		}
		from := i
		for i < len(line) && !isSpace(line[i]) {
			i++
		}
		p.line = append(p.line, line[from:i])
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

func (p *parser) address(text []byte) (netip.Addr, error) {
	if a, ok := p.addresses[string(text)]; ok {
		return a, nil
	}
	a, err := netip.ParseAddr(string(text))
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%q is no address", short(text))
	}
	if len(p.addresses) >= maxAddresses {
		clear(p.addresses)
	}
	p.addresses[string(text)] = a
	return a, nil
}

// short bounds what an error shows of a line.
func short(text []byte) []byte { return text[:min(len(text), 64)] }

// number reads a number without a sign, at most limit.
func number(text []byte, limit uint32) (n uint32, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + uint32(c-'0'); n > limit {
			return 0, false
		}
	}
	return n, len(text) > 0
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
	for _, name := range []string{"srcaddr", "dstaddr", "srcport", "dstport", "protocol"} {
		if at(name) < 0 {
			return fmt.Errorf("the format has no field %s", name)
		}
	}
	return nil
}

func (p *parser) parse(fields [][]byte) (f Flow, ok bool, err error) {
	if len(fields) != p.fields {
		return f, false, fmt.Errorf("a record has %d fields, this line has %d", p.fields, len(fields))
	}
	if p.status >= 0 && string(fields[p.status]) != "OK" || p.action >= 0 && string(fields[p.action]) != "ACCEPT" {
		return f, false, nil
	}
	source, destination := fields[p.source], fields[p.destination]
	if p.packetSource >= 0 && string(fields[p.packetSource]) != "-" {
		source = fields[p.packetSource]
	}
	if p.packetDestination >= 0 && string(fields[p.packetDestination]) != "-" {
		destination = fields[p.packetDestination]
	}
	if string(source) == "-" || string(destination) == "-" || string(fields[p.protocol]) == "-" {
		return f, false, nil
	}
	if f.Source, err = p.address(source); err != nil {
		return f, false, err
	}
	if f.Destination, err = p.address(destination); err != nil {
		return f, false, err
	}
	protocol, ok := number(fields[p.protocol], math.MaxUint8)
	if !ok {
		return f, false, fmt.Errorf("%q is no protocol number", short(fields[p.protocol]))
	}
	from, ok := number(fields[p.sourcePort], math.MaxUint16)
	if !ok {
		return f, false, fmt.Errorf("%q is no port", short(fields[p.sourcePort]))
	}
	to, ok := number(fields[p.destinationPort], math.MaxUint16)
	if !ok {
		return f, false, fmt.Errorf("%q is no port", short(fields[p.destinationPort]))
	}
	f.Protocol, f.SourcePort, f.DestinationPort = uint8(protocol), uint16(from), uint16(to)
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
