package record

import (
	"fmt"
	"time"
)

// maxZoneHours is the widest offset taken, in hours east or west: wider than any
// zone in use.
const maxZoneHours = 18

// ParseZone reads a time zone: GMT, UTC, GMT±hh:mm (GMT+08:00) or a name of the IANA
// time zone database (Asia/Shanghai). Names need the database, of the system or built
// in with time/tzdata.
func ParseZone(name string) (*time.Location, error) {
	switch name {
	case "":
		return nil, fmt.Errorf("the time zone is empty: write GMT±hh:mm, for example GMT+08:00, or an IANA name, for example Asia/Shanghai")
	case "GMT", "UTC":
		return time.UTC, nil
	case "Local":
		// Meant by Go as the machine's own zone, which is another on each node.
		return nil, fmt.Errorf("time zone %q depends on the machine: write GMT±hh:mm or an IANA name", name)
	}
	if len(name) > 3 && name[:3] == "GMT" && (name[3] == '+' || name[3] == '-') {
		return parseOffset(name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q is unknown: write GMT±hh:mm, for example GMT+08:00, or an IANA name, for example Asia/Shanghai", name)
	}
	return loc, nil
}

// parseOffset reads GMT±hh:mm; the first four characters are known.
func parseOffset(name string) (*time.Location, error) {
	rest := name[4:]
	ok := len(rest) == 5 && rest[2] == ':'
	for i := 0; ok && i < len(rest); i++ {
		ok = i == 2 || rest[i] >= '0' && rest[i] <= '9'
	}
	if !ok {
		return nil, fmt.Errorf("time zone %q is not of the form GMT±hh:mm: write two digits for hours and two for minutes, as in GMT+08:00", name)
	}
	hours, minutes := int(rest[0]-'0')*10+int(rest[1]-'0'), int(rest[3]-'0')*10+int(rest[4]-'0')
	seconds := hours*3600 + minutes*60
	if minutes > 59 || seconds > maxZoneHours*3600 {
		return nil, fmt.Errorf("time zone %q is out of range: GMT-%d:00 to GMT+%d:00, minutes 00 to 59", name, maxZoneHours, maxZoneHours)
	}
	if name[3] == '-' {
		seconds = -seconds
	}
	return time.FixedZone(name, seconds), nil
}
