package relay

import "slices"

// A hubConn is one connection of a lane, as Redis sees it.
type hubConn struct {
	lane     *memoryLane
	held     map[Channel]struct{}
	halfOpen bool // Redis counts it, and nothing comes through any more
	expired  bool // its lease has run out: the lane gives it up as soon as its process runs
}

// A hubPattern is one pattern subscription.
type hubPattern struct {
	pattern string
	conn    *hubConn
}

// A hubCopy is one copy of a payload: to a connection, for a channel or for a pattern.
type hubCopy struct {
	conn    *hubConn
	pattern string
}

// hubRedis is who holds what. Slices and not sets, so that copies are made in the same order in each run.
type hubRedis struct {
	channels map[string][]*hubConn
	patterns []hubPattern
}

func newHubRedis() hubRedis { return hubRedis{channels: make(map[string][]*hubConn)} }

func (r *hubRedis) subscribe(c *hubConn, ch Channel) {
	if _, held := c.held[ch]; held {
		return
	}
	c.held[ch] = struct{}{}
	if ch.Pattern {
		r.patterns = append(r.patterns, hubPattern{pattern: ch.Name, conn: c})
		return
	}
	r.channels[ch.Name] = append(r.channels[ch.Name], c)
}

func (r *hubRedis) unsubscribe(c *hubConn, ch Channel) {
	if _, held := c.held[ch]; !held {
		return
	}
	delete(c.held, ch)
	if ch.Pattern {
		r.patterns = slices.DeleteFunc(r.patterns, func(p hubPattern) bool { return p.conn == c && p.pattern == ch.Name })
		return
	}
	rest := slices.DeleteFunc(r.channels[ch.Name], func(o *hubConn) bool { return o == c })
	if len(rest) == 0 {
		delete(r.channels, ch.Name)
		return
	}
	r.channels[ch.Name] = rest
}

// drop is the end of a connection.
func (r *hubRedis) drop(c *hubConn) {
	for ch := range c.held {
		r.unsubscribe(c, ch)
	}
}

func (r *hubRedis) count(channel string) int { return len(r.channels[channel]) }

// receivers lists the copies of a payload: a connection that holds the channel and matching patterns has several.
func (r *hubRedis) receivers(channel string) []hubCopy {
	var copies []hubCopy
	for _, c := range r.channels[channel] {
		copies = append(copies, hubCopy{conn: c})
	}
	for _, p := range r.patterns {
		if hubMatch(p.pattern, channel) {
			copies = append(copies, hubCopy{conn: p.conn, pattern: p.pattern})
		}
	}
	return copies
}

// hubMatch says whether a name matches a glob-style pattern by the rules of Redis (stringmatchlen in util.c):
// * ? [abc] [^a] [a-z], and \ before what is meant literally.
func hubMatch(pattern, name string) bool {
	for pattern != "" {
		if pattern[0] == '*' {
			return hubMatchStar(pattern[1:], name)
		}
		if name == "" {
			return false
		}
		var ok bool
		switch c := pattern[0]; {
		case c == '?':
			ok, pattern = true, pattern[1:]
		case c == '[':
			ok, pattern = hubMatchClass(pattern[1:], name[0])
		case c == '\\' && len(pattern) > 1:
			ok, pattern = pattern[1] == name[0], pattern[2:]
		default:
			ok, pattern = c == name[0], pattern[1:]
		}
		if !ok {
			return false
		}
		name = name[1:]
	}
	return name == ""
}

func hubMatchStar(rest, name string) bool {
	for i := 0; i <= len(name); i++ {
		if hubMatch(rest, name[i:]) {
			return true
		}
	}
	return false
}

// hubMatchClass matches one byte against the class that begins behind its bracket, and returns what follows the class.
func hubMatchClass(class string, b byte) (ok bool, rest string) {
	negated := class != "" && class[0] == '^'
	if negated {
		class = class[1:]
	}
	for class != "" && class[0] != ']' {
		low := class[0]
		if low == '\\' && len(class) > 1 {
			low, class = class[1], class[1:]
		}
		high := low
		if len(class) > 2 && class[1] == '-' {
			high, class = class[2], class[2:]
		}
		ok = ok || min(low, high) <= b && b <= max(low, high)
		class = class[1:]
	}
	if class != "" {
		class = class[1:]
	}
	return ok != negated, class
}
