package kubeobject

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// Bounds on a proxy's configuration.
const (
	maxServers   = 100
	maxUpstreams = 50
	maxBlocks    = 20 // nested
)

// proxyServers returns the listeners that a proxy's configuration declares.
func proxyServers(key, text string) []estate.Server {
	switch lower := strings.ToLower(key); {
	case strings.Contains(text, "socket_address"):
		return envoyServers(text)
	case strings.Contains(text, "bind ") && (strings.Contains(lower, "haproxy") || strings.Contains(text, "frontend ")):
		return haproxyServers(text)
	case strings.Contains(text, "listen") && strings.Contains(text, "server"):
		return nginxServers(text)
	}
	return nil
}

// directive is one directive of nginx: words, and a block if it has one.
type directive struct {
	words []string
	block []directive
}

// nginxParser reads directives; damage ends the reading, not the program.
type nginxParser struct {
	text string
	pos  int
	left int // directives that may still be read
}

func (p *nginxParser) block(depth int) []directive {
	var out []directive
	var words []string
	for p.pos < len(p.text) && p.left > 0 {
		switch c := p.text[p.pos]; c {
		case ' ', '\t', '\r', '\n':
			p.pos++
		case '#':
			if i := strings.IndexByte(p.text[p.pos:], '\n'); i >= 0 {
				p.pos += i
			} else {
				p.pos = len(p.text)
			}
		case ';':
			p.pos++
			if len(words) > 0 {
				out = append(out, directive{words: words})
				words = nil
				p.left--
			}
		case '{':
			p.pos++
			p.left--
			if depth >= maxBlocks {
				p.left = 0
				return out
			}
			out = append(out, directive{words: words, block: p.block(depth + 1)})
			words = nil
		case '}':
			p.pos++
			return out
		default:
			words = append(words, p.word())
		}
	}
	return out
}

// word reads one word, which may stand in quotes and may hold ${name}.
func (p *nginxParser) word() string {
	if quote := p.text[p.pos]; quote == '"' || quote == '\'' {
		p.pos++
		start := p.pos
		for p.pos < len(p.text) && p.text[p.pos] != quote {
			if p.text[p.pos] == '\\' {
				p.pos++
			}
			p.pos++
		}
		end := min(p.pos, len(p.text))
		p.pos = min(p.pos+1, len(p.text))
		return p.text[start:end]
	}
	start := p.pos
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		if c == '{' && p.pos > start && p.text[p.pos-1] == '$' {
			if i := strings.IndexByte(p.text[p.pos:], '}'); i >= 0 {
				p.pos += i + 1
				continue
			}
		}
		if strings.IndexByte(" \t\r\n;{}", c) >= 0 {
			break
		}
		if c == '\\' {
			p.pos++
		}
		p.pos++
	}
	p.pos = min(p.pos, len(p.text))
	return p.text[start:p.pos]
}

// nginxServers reads the servers of http and stream. A file of conf.d begins
// within http.
func nginxServers(text string) []estate.Server {
	p := nginxParser{text: text, left: 10_000}
	tree := p.block(0)
	n := nginx{upstreams: map[string][]string{}}
	n.collect(tree)
	n.context(tree, nginxContext{}, false)
	return n.servers
}

type nginx struct {
	upstreams map[string][]string
	servers   []estate.Server
}

// nginxContext is what a server inherits from the blocks around it.
type nginxContext struct {
	certificate string
	protocols   []string
	hsts        bool
	sslOn       bool
}

// collect finds the upstream blocks, which may stand after their use.
func (n *nginx) collect(tree []directive) {
	for _, d := range tree {
		if len(d.words) == 2 && d.words[0] == "upstream" {
			for _, s := range d.block {
				if len(s.words) > 1 && s.words[0] == "server" && len(n.upstreams[d.words[1]]) < maxUpstreams {
					n.upstreams[d.words[1]] = append(n.upstreams[d.words[1]], s.words[1])
				}
			}
			continue
		}
		n.collect(d.block)
	}
}

func (c *nginxContext) read(tree []directive) {
	for _, d := range tree {
		if len(d.words) < 2 {
			continue
		}
		switch d.words[0] {
		case "ssl_certificate":
			c.certificate = ""
			if file, ok := pathOf(d.words[1]); ok {
				c.certificate = file
			}
		case "ssl_protocols":
			c.protocols = tlsVersions(d.words[1:])
		case "ssl":
			c.sslOn = d.words[1] == "on"
		case "add_header":
			c.hsts = c.hsts || strings.EqualFold(d.words[1], "Strict-Transport-Security")
		}
	}
}

func tlsVersions(words []string) []string {
	var out []string
	for _, w := range words {
		if slices.Contains([]string{"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"}, w) && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

func (n *nginx) context(tree []directive, c nginxContext, stream bool) {
	c.read(tree)
	for _, d := range tree {
		if d.block == nil || len(d.words) == 0 {
			continue
		}
		switch d.words[0] {
		case "http", "stream", "mail":
			n.context(d.block, c, d.words[0] == "stream")
		case "server":
			n.server(d.block, c, stream)
		}
	}
}

func (n *nginx) server(tree []directive, c nginxContext, stream bool) {
	c.read(tree)
	var upstreams []string
	n.forwards(tree, &c, stream, &upstreams)
	listens := 0
	for _, d := range tree {
		if len(d.words) < 2 || d.words[0] != "listen" {
			continue
		}
		listens++
		s, ok := nginxListen(d.words[1])
		if !ok || len(n.servers) >= maxServers {
			continue
		}
		s.TLS = c.sslOn || slices.Contains(d.words[2:], "ssl") || slices.Contains(d.words[2:], "quic")
		n.add(s, c, upstreams)
	}
	if listens == 0 && len(n.servers) < maxServers && !stream {
		n.add(estate.Server{Port: 80, TLS: c.sslOn}, c, upstreams)
	}
}

func (n *nginx) add(s estate.Server, c nginxContext, upstreams []string) {
	s.Software, s.HSTS, s.Upstreams = "nginx", c.hsts, upstreams
	if s.TLS {
		s.Certificate, s.Protocols = c.certificate, c.protocols
	}
	// "listen 80" and "listen [::]:80" are one listener to a client.
	for i := range n.servers {
		o := &n.servers[i]
		if o.Port == s.Port && o.TLS == s.TLS && o.Loopback == s.Loopback && o.Certificate == s.Certificate && slices.Equal(o.Upstreams, s.Upstreams) {
			o.HSTS = o.HSTS && s.HSTS
			return
		}
	}
	n.servers = append(n.servers, s)
}

func nginxListen(v string) (estate.Server, bool) {
	var s estate.Server
	if strings.HasPrefix(v, "unix:") {
		return s, false
	}
	if port := portOf(v); port > 0 {
		s.Port = port
		return s, true
	}
	host, port, ok := hostPort(strings.TrimPrefix(v, "*"))
	if !ok {
		return s, false
	}
	s.Port = port
	if port == 0 {
		s.Port = 80
	}
	s.Loopback = loopback(host)
	return s, true
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// forwards collects where a server's locations forward.
func (n *nginx) forwards(tree []directive, c *nginxContext, stream bool, out *[]string) {
	for _, d := range tree {
		if len(d.words) > 1 {
			switch d.words[0] {
			case "proxy_pass":
				n.upstream(d.words[1], stream, out)
			case "grpc_pass":
				n.upstream(d.words[1], stream, out)
			case "fastcgi_pass", "uwsgi_pass":
				n.upstream(strings.TrimSuffix(d.words[0], "_pass")+"://"+d.words[1], stream, out)
			case "add_header":
				c.hsts = c.hsts || strings.EqualFold(d.words[1], "Strict-Transport-Security")
			}
		}
		if d.block != nil {
			n.forwards(d.block, c, stream, out)
		}
	}
}

func (n *nginx) upstream(v string, stream bool, out *[]string) {
	scheme, rest, ok := strings.Cut(v, "://")
	if !ok {
		scheme, rest = "http", v
		if stream {
			scheme = "tcp"
		}
	}
	if !slices.Contains([]string{"http", "https", "grpc", "grpcs", "tcp", "fastcgi", "uwsgi"}, scheme) {
		return
	}
	rest, _, _ = strings.Cut(rest, "/")
	servers, named := n.upstreams[rest]
	if !named {
		servers = []string{rest}
	}
	for _, s := range servers {
		addUpstream(out, scheme, s)
	}
}

// addUpstream adds "scheme://host:port" unless it is there.
func addUpstream(out *[]string, scheme, address string) {
	host, port, ok := hostPort(address)
	if !ok || host == "" || len(*out) >= maxUpstreams {
		return
	}
	if port == 0 {
		switch scheme {
		case "http", "grpc":
			port = 80
		case "https", "grpcs":
			port = 443
		}
	}
	u := scheme + "://" + joinHostPort(host, port)
	if !slices.Contains(*out, u) {
		*out = append(*out, u)
	}
}

func joinHostPort(host string, port int32) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == 0 {
		return host
	}
	return host + ":" + itoa(port)
}

// haproxyServers reads the frontend, listen and backend sections of haproxy.
func haproxyServers(text string) []estate.Server {
	type section struct {
		binds    []estate.Server
		backends []string
		servers  []string
		hsts     bool
	}
	sections := map[string]*section{}
	var order []*section
	var at *section
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "global", "defaults", "peers", "userlist", "resolvers", "cache", "ring", "program", "mailers":
			at = nil
			continue
		case "frontend", "listen", "backend":
			at = nil
			if len(words) > 1 && len(order) < maxServers {
				at = &section{}
				sections[words[0]+" "+words[1]] = at
				order = append(order, at)
			}
			continue
		}
		if at == nil || len(words) < 2 {
			continue
		}
		switch words[0] {
		case "bind":
			for address := range strings.SplitSeq(words[1], ",") {
				s, ok := nginxListen(strings.TrimPrefix(strings.TrimPrefix(address, "ipv4@"), "ipv6@"))
				if !ok || len(at.binds) >= maxServers {
					continue
				}
				s.Software = "haproxy"
				options := words[2:]
				s.TLS = slices.Contains(options, "ssl")
				if i := slices.Index(options, "crt"); i >= 0 && i+1 < len(options) {
					s.Certificate, _ = pathOf(options[i+1])
				}
				at.binds = append(at.binds, s)
			}
		case "use_backend", "default_backend":
			if len(at.backends) < maxUpstreams {
				at.backends = append(at.backends, words[1])
			}
		case "server":
			if len(words) < 3 {
				continue
			}
			scheme := "http"
			if slices.Contains(words[3:], "ssl") {
				scheme = "https"
			}
			addUpstream(&at.servers, scheme, words[2])
		case "http-response", "rspadd":
			at.hsts = at.hsts || strings.Contains(strings.ToLower(line), "strict-transport-security")
		}
	}
	var out []estate.Server
	for _, s := range order {
		upstreams := slices.Clone(s.servers)
		for _, name := range s.backends {
			b := sections["backend "+name]
			if b == nil {
				continue
			}
			for _, u := range b.servers {
				if !slices.Contains(upstreams, u) && len(upstreams) < maxUpstreams {
					upstreams = append(upstreams, u)
				}
			}
		}
		for _, bind := range s.binds {
			if len(out) >= maxServers {
				return out
			}
			bind.Upstreams, bind.HSTS = upstreams, s.hsts
			out = append(out, bind)
		}
	}
	return out
}
