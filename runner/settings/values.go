package settings

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	leastBudget = 8 << 20
	mostBudget  = 1 << 40
	leastAge    = time.Minute
	mostAge     = 100 * 365 * 24 * time.Hour
	leastLogs   = 1 << 20
)

func path(into func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		*into(s) = filepath.Clean(v)
		return nil
	}
}

// program is the path of a program or a name to be looked for in PATH; "off" is none.
func program(into func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		if v != "off" && strings.ContainsRune(v, filepath.Separator) {
			v = filepath.Clean(v)
		}
		*into(s) = v
		return nil
	}
}

func toggle(into func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "on", "true", "yes", "1":
			*into(s) = true
		case "off", "false", "no", "0":
			*into(s) = false
		default:
			return errors.New("is neither on nor off")
		}
		return nil
	}
}

func address(into func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		v = strings.TrimSpace(v)
		host, port, err := net.SplitHostPort(v)
		if err != nil {
			return errors.New("is not of the form host:port; for example 127.0.0.1:8080, or :8080 for all interfaces")
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
			return errors.New("has no port from 0 to 65535; for example 127.0.0.1:8080")
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "" && !hostName(host) {
			return errors.New("has no valid host; give an IP address or a host name")
		}
		*into(s) = v
		return nil
	}
}

func hostName(s string) bool {
	return len(s) <= 253 && strings.Trim(s, ".-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" &&
		strings.Trim(s, ".0123456789") != "" && !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, ".")
}

func loopbackAddress(into func(*Settings) *string) func(*Settings, string) error {
	read := address(into)
	return func(s *Settings, v string) error {
		if err := read(s, v); err != nil {
			return err
		}
		if !onLoopback(*into(s)) {
			return errors.New("is not on loopback, where alone the sandbox serves; give 127.0.0.1:port")
		}
		return nil
	}
}

func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func readKey(s *Settings, v string) error {
	v = strings.TrimSpace(v)
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if b, err := decode(v); err == nil && len(b) == 32 {
			s.Key = v
			return nil
		}
	}
	return errors.New("is not 32 bytes in base64 or hex; make one with: openssl rand -base64 32")
}

func readPassword(s *Settings, v string) error {
	if !utf8.ValidString(v) || len(v) > 1024 {
		return errors.New("is longer than 1024 bytes or not UTF-8; give another password")
	}
	s.AdminPassword = v
	return nil
}

func readBudget(s *Settings, v string) (err error) {
	if s.MemoryBudget, err = ParseSize(v); err != nil {
		return err
	}
	if s.MemoryBudget < leastBudget || s.MemoryBudget > mostBudget {
		return errors.New("must be from 8MiB to 1024GiB")
	}
	return nil
}

func readMetrics(s *Settings, v string) error {
	if v = strings.TrimSpace(v); v == "" || strings.EqualFold(v, "off") {
		s.MetricsAddr = ""
		return nil
	}
	return address(func(s *Settings) *string { return &s.MetricsAddr })(s, v)
}

func readAllow(s *Settings, v string) (err error) { s.EgressAllow, err = cidrs(v); return err }
func readDeny(s *Settings, v string) (err error)  { s.EgressDeny, err = cidrs(v); return err }

// cidrs reads a comma-separated list of CIDRs and single addresses.
func cidrs(v string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		p, err := netip.ParsePrefix(item)
		if ip, errIP := netip.ParseAddr(item); errIP == nil && ip.Zone() == "" {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("names %q, which is no address range; write 10.20.0.0/16, 192.168.1.7 or fd00:1::/32", clip(item))
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func readProxy(s *Settings, v string) error {
	if v = strings.TrimSpace(v); v == "" {
		return nil
	}
	// The parser's own message quotes the value, in which a password may stand.
	u, err := url.Parse(v)
	if err != nil {
		return errors.New("is no URL; write http://host:port, https://host:port or socks5://host:port, special characters of a password as %XX")
	}
	switch u.Scheme {
	case "http", "https", "socks5":
	case "socks5h":
		return errors.New("asks the proxy to resolve names (socks5h), but names are resolved and checked here; write socks5://host:port")
	default:
		return errors.New("has no scheme that is supported; write http://host:port, https://host:port or socks5://host:port")
	}
	if u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is not of the form scheme://[user:password@]host:port")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return errors.New("has no port from 1 to 65535")
		}
	}
	s.EgressProxy = u
	return nil
}

// readRetention reads an age, a size, or both in either order.
func readRetention(s *Settings, v string) error {
	age, size := 7*24*time.Hour, int64(1<<30)
	var ages, sizes int
	for item := range strings.SplitSeq(v, ",") {
		item = strings.TrimSpace(item)
		if d, err := ParseAge(item); err == nil {
			age, ages = d, ages+1
		} else if n, err := ParseSize(item); err == nil {
			size, sizes = n, sizes+1
		} else {
			return fmt.Errorf("names %q, which is neither an age nor a size; write 7d,1GiB", clip(item))
		}
	}
	switch {
	case ages > 1 || sizes > 1:
		return errors.New("names two ages or two sizes; write 7d,1GiB")
	case age < leastAge || age > mostAge:
		return errors.New("keeps less than 1m or more than 100 years; write 7d,1GiB")
	case size < leastLogs:
		return errors.New("keeps less than 1MiB; write 7d,1GiB")
	}
	s.LogAge, s.LogBytes = age, size
	return nil
}

// ParseSize reads a count of bytes: plain digits, or digits with KiB, MiB, GiB or TiB.
func ParseSize(v string) (int64, error) {
	digits := strings.TrimSpace(v)
	factor := int64(1)
	for i, unit := range []string{"kib", "mib", "gib", "tib"} {
		if d, ok := strings.CutSuffix(strings.ToLower(digits), unit); ok {
			digits, factor = strings.TrimSpace(d), 1<<(10*(i+1))
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/factor {
		return 0, errors.New("is not a size; give bytes, or a whole number with KiB, MiB or GiB, for example 256MiB")
	}
	return int64(n) * factor, nil
}

// ParseAge reads a duration that may have weeks and days: 7d, 1w, 36h, 1d12h, 90m.
func ParseAge(v string) (time.Duration, error) {
	bad := errors.New("is not an age; write it like 7d, 36h or 90m")
	rest := v
	var total time.Duration
	for _, u := range []struct {
		unit string
		is   time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		digits, after, ok := strings.Cut(rest, u.unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil || time.Duration(n) > mostAge/u.is {
			return 0, bad
		}
		total, rest = total+time.Duration(n)*u.is, after
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || strings.HasPrefix(rest, "+") || d > math.MaxInt64-total {
			return 0, bad
		}
		total += d
	}
	if v == "" || strings.Trim(v, "0") == "" {
		return 0, bad
	}
	return total, nil
}
