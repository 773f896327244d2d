package egress

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func mustNew(t *testing.T, allow, deny string, change ...func(*Policy)) *Egress {
	t.Helper()
	var p Policy
	var err error
	if p.Allow, err = ParseList(strings.Split(allow, ",")); err != nil {
		t.Fatal(err)
	}
	if p.Deny, err = ParseList(strings.Split(deny, ",")); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(&p)
	}
	e, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Verdicts of an address: without and with Internet access.
const (
	yes      = "yes"      // both
	internet = "internet" // only with
	no       = ""         // neither
)

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, want, rule string }{
		// Private.
		{"10.0.0.1:9092", yes, ""}, {"10.255.255.255:1", yes, ""}, {"172.16.0.1:80", yes, ""}, {"172.31.255.254:80", yes, ""},
		{"192.168.0.10:80", yes, ""}, {"100.64.0.1:80", yes, ""}, {"100.127.255.255:80", yes, ""}, {"100.100.100.199:80", yes, ""}, {"100.100.100.201:80", yes, ""},
		{"[fc00::1]:80", yes, ""}, {"[fd12:3456::1]:80", yes, ""}, {"10.0.0.1", yes, ""}, {"[fd00::1]", yes, ""}, {"fd00::1", yes, ""},
		{"[::ffff:10.0.0.1]:80", yes, ""}, {"[64:ff9b::10.0.0.1]:80", yes, ""}, {"[64:ff9b::a00:1]:80", yes, ""},
		// Public.
		{"8.8.8.8:53", internet, "public"}, {"172.15.255.255:80", internet, "public"}, {"172.32.0.1:80", internet, "public"}, {"100.63.255.255:80", internet, "public"},
		{"100.128.0.1:80", internet, "public"}, {"192.167.255.255:80", internet, "public"}, {"169.253.0.1:80", internet, "public"}, {"223.255.255.255:80", internet, "public"},
		{"[2001:4860:4860::8888]:443", internet, "public"}, {"[::ffff:8.8.8.8]:80", internet, "public"}, {"[64:ff9b::8.8.8.8]:80", internet, "public"},
		{"[2002:0808:0808::1]:80", internet, "public"}, {"[2002:0a00:0001::1]:80", internet, "public"}, {"[2400:3200::5efe:10.0.0.1]:80", internet, "public"},
		// Link-local and metadata.
		{"169.254.169.254:80", no, "link-local"}, {"169.254.0.1:80", no, "link-local"}, {"[fe80::1]:80", no, "link-local"}, {"[febf::1]:80", no, "link-local"},
		{"[fe80::1%eth0]:80", no, "zone"}, {"[fe80::1%25eth0]:80", no, "zone"}, {"[2001:db8::1%1]:80", no, "zone"}, {"[::1%lo]:80", no, "zone"},
		{"100.100.100.200:80", no, "metadata"}, {"[::ffff:100.100.100.200]:80", no, "metadata"}, {"[fd00:ec2::254]:80", no, "metadata"}, {"[fd20:ce::254]:80", no, "metadata"},
		{"[::ffff:169.254.169.254]:80", no, "link-local"}, {"[64:ff9b::169.254.169.254]:80", no, "translated"}, {"[2002:a9fe:a9fe::]:80", no, "translated"},
		{"[64:ff9b::100.100.100.200]:80", no, "translated"}, {"[2400:3200::5efe:169.254.169.254]:80", no, "translated"}, {"[2400:3200::200:5efe:127.0.0.1]:80", no, "translated"},
		// Loopback, not allowed.
		{"127.0.0.1:8080", no, "loopback"}, {"127.255.255.254:80", no, "loopback"}, {"[::1]:80", no, "loopback"}, {"[::ffff:127.0.0.1]:80", no, "loopback"},
		{"[0:0:0:0:0:0:0:1]:80", no, "loopback"}, {"[64:ff9b::127.0.0.1]:80", no, "translated"}, {"[2002:7f00:0001::]:80", no, "translated"},
		// Nowhere.
		{"0.0.0.0:80", no, "unspecified"}, {"0.1.2.3:80", no, "unspecified"}, {"[::]:80", no, "unspecified"}, {"[::ffff:0.0.0.0]:80", no, "unspecified"},
		{"224.0.0.1:80", no, "multicast"}, {"239.255.255.250:1900", no, "multicast"}, {"[ff02::1]:80", no, "multicast"}, {"255.255.255.255:80", no, "broadcast"},
		{"240.0.0.1:80", no, "reserved"}, {"192.0.0.192:80", no, "reserved"}, {"[fec0::1]:80", no, "reserved"}, {"[100::1]:80", no, "reserved"},
		{"[::127.0.0.1]:80", no, "carries"}, {"[::10.0.0.1]:80", no, "carries"}, {"[2001:0:53aa:64c::1]:80", no, "carries"}, {"[64:ff9b:1::10.0.0.1]:80", no, "carries"},
		// Unusual spellings.
		{"0x7f.1:80", no, "spelling"}, {"0x7f000001:80", no, "spelling"}, {"2130706433:80", no, "spelling"}, {"017700000001:80", no, "spelling"}, {"0177.0.0.1:80", no, "spelling"},
		{"127.1:80", no, "spelling"}, {"127.0.1:80", no, "spelling"}, {"127.0.0.01:80", no, "spelling"}, {"127.0.0.1.:80", no, "spelling"}, {"10.0.0.0x1:80", no, "spelling"},
		{"256.1.1.1:80", no, "spelling"}, {"1.2.3.4.5:80", no, "spelling"}, {"0X7F.0.0.1:80", no, "spelling"}, {"0x:80", no, "spelling"}, {"foo.0x10:80", no, "spelling"},
		{"１２７.0.0.1:80", no, "spelling"}, {"127。0。0。1:80", no, "host name"}, {"①②⑦.example:80", no, "host name"},
		// Names pass; what is neither does not.
		{"localhost:80", yes, ""}, {"oss-cn-hangzhou-internal.aliyuncs.com:443", yes, ""}, {"kafka_1.svc.cluster.local.:9092", yes, ""}, {"metadata.google.internal:80", yes, ""},
		{"1password.com:443", yes, ""}, {"0x7f.example:80", yes, ""},
		{"", no, "empty"}, {":80", no, "empty"}, {"host:0", no, "port"}, {"host:65536", no, "port"}, {"host:http", no, "port"}, {"host:+80", no, "port"}, {"host:", no, "port"},
		{"user@host:80", no, "host name"}, {"ho st:80", no, "host name"}, {"host/path:80", no, "host name"}, {"-host:80", no, "host name"}, {"a..b:80", no, "host name"},
		{"host\x00:80", no, "host name"}, {"http://10.0.0.1", no, "port"}, {"[10.0.0.1:80", no, "form"}, {strings.Repeat("a.", 130) + "b:80", no, "host name"},
	} {
		e := mustNew(t, "", "")
		for _, access := range []bool{false, true} {
			err := e.CheckAddress(c.address, access)
			want := c.want == yes || c.want == internet && access
			if (err == nil) != want {
				t.Errorf("%q with internet access %v: got %v, want allowed %v", c.address, access, err, want)
				continue
			}
			var refused *Refused
			if err != nil && (!errors.As(err, &refused) || !strings.Contains(refused.Rule, c.rule) || !strings.HasSuffix(refused.Remedy, ".")) {
				t.Errorf("%q: refusal %q does not tell the rule %q and a remedy", c.address, err, c.rule)
			}
		}
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ allow, deny, address, want string }{
		{"127.0.0.0/8,::1/128", "", "127.0.0.1:80", yes},
		{"127.0.0.0/8", "", "[::1]:80", no},
		{"127.0.0.1", "", "127.0.0.1:80", yes},
		{"127.0.0.1", "", "127.0.0.2:80", no},
		{"127.0.0.0/8", "", "[::ffff:127.0.0.1]:80", yes},
		{"::ffff:127.0.0.0/104", "", "127.0.0.1:80", yes},
		{"127.0.0.0/8", "", "[64:ff9b::127.0.0.1]:80", no},
		{"203.0.113.0/24", "", "203.0.113.9:80", yes},
		{"0.0.0.0/0,::/0", "", "169.254.169.254:80", no},
		{"0.0.0.0/0,::/0", "", "100.100.100.200:80", no},
		{"0.0.0.0/0,::/0", "", "[fe80::1]:80", no},
		{"0.0.0.0/0,::/0", "", "0.0.0.0:80", no},
		{"0.0.0.0/0,::/0", "", "224.0.0.1:80", no},
		{"240.0.0.0/4", "", "240.1.2.3:80", yes},
		{"240.0.0.0/4", "", "255.255.255.255:80", no},
		{"", "10.0.0.0/8", "10.1.2.3:80", no},
		{"", "10.0.0.0/8", "[::ffff:10.1.2.3]:80", no},
		{"", "10.0.0.0/8", "[64:ff9b::10.1.2.3]:80", no},
		{"", "64:ff9b::/96", "[64:ff9b::10.1.2.3]:80", no},
		{"10.1.0.0/16", "10.0.0.0/8", "10.1.2.3:80", no},
		{"127.0.0.0/8", "127.0.0.1/32", "127.0.0.1:80", no},
		{"", "8.8.8.0/24", "8.8.8.8:53", no},
		{"", "8.8.8.0/24", "8.8.4.4:53", internet},
		{"", "0.0.0.0/0", "172.16.0.1:80", no},
	} {
		e := mustNew(t, c.allow, c.deny)
		for _, access := range []bool{false, true} {
			err := e.CheckAddress(c.address, access)
			if want := c.want == yes || c.want == internet && access; (err == nil) != want {
				t.Errorf("allow %q deny %q: %q with internet access %v: got %v, want allowed %v", c.allow, c.deny, c.address, access, err, want)
			}
		}
	}
}

func TestSetListsHoldsAtOnce(t *testing.T) {
	t.Parallel()
	e := mustNew(t, "127.0.0.1", "")
	if err := e.SetLists([]string{"127.0.0.2"}, []string{"10.0.0.0/8"}); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{"127.0.0.1:1": true, "127.0.0.2:1": true, "127.0.0.3:1": false, "10.0.0.1:1": false} {
		if err := e.CheckAddress(address, false); (err == nil) != want {
			t.Errorf("%s: %v, want allowed %v", address, err, want)
		}
	}
	if err := e.SetLists([]string{"nonsense"}, nil); err == nil || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("a bad list was taken: %v", err)
	}
	if e.CheckAddress("127.0.0.2:1", false) != nil {
		t.Error("a refused list changed the rules")
	}
}

func TestParseListRefuses(t *testing.T) {
	t.Parallel()
	for _, item := range []string{"10.0.0.0/33", "10.0.0", "0x7f.1", "fe80::1%eth0", "fe80::%eth0/64", "localhost", "10.0.0.0/-1", "10.0.0.0/8/8"} {
		if got, err := ParseList([]string{item}); err == nil {
			t.Errorf("%q was read as %v", item, got)
		}
	}
}

func FuzzCheckAddress(f *testing.F) {
	for _, s := range []string{"0x7f.1:80", "[::1%lo]:80", "127.0.0.1.:1", "[64:ff9b::7f00:1]:80", "a:1", "[", "１２７.0.0.1:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		e, err := New(Policy{})
		if err != nil {
			t.Fatal(err)
		}
		if e.CheckAddress(address, true) != nil {
			return
		}
		host := hostOf(address)
		ip, err := netip.ParseAddr(host)
		if err != nil {
			if numeric(host) {
				t.Fatalf("%q passed as a name", address)
			}
			return
		}
		ip = ip.Unmap()
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip.Zone() != "" || ip == netip.MustParseAddr("100.100.100.200") {
			t.Fatalf("%q passed", address)
		}
		if e.CheckAddress(address, false) == nil && !ip.IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(ip) && !nat64.Contains(ip) {
			t.Fatalf("%q passed without Internet access", address)
		}
	})
}
