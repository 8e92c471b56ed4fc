package audit

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// TimeOf is the time that a value states, in UTC: RFC 3339, or the number of
// seconds, milliseconds, microseconds or nanoseconds since 1970, also as text.
// It is zero when v states no time.
func TimeOf(v jsondoc.Value) time.Time {
	switch v.Kind() {
	case jsondoc.String:
		if t := ParseTime(v.Text()); !t.IsZero() {
			return t
		}
		return parseUnix(strings.TrimSpace(v.Text()))
	case jsondoc.Number:
		return parseUnix(v.Text())
	}
	return time.Time{}
}

// parseUnix reads a number of units since 1970. The magnitude tells the unit,
// as long as the time is not before 2001.
func parseUnix(s string) time.Time {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Trim(fraction, "0123456789") != "" {
		return parseFloat(s)
	}
	const earliest, latest = 1e9, 1e11 // 2001 and the year 5138, in seconds
	for nanos := int64(time.Second); nanos > 0; nanos /= 1000 {
		perSecond := int64(time.Second) / nanos
		if seconds := n / perSecond; seconds >= earliest && seconds < latest {
			// Digits of the fraction that are below a nanosecond are cut.
			digits := len(strconv.FormatInt(nanos, 10)) - 1
			below, _ := strconv.ParseInt("0"+(fraction + "000000000")[:digits], 10, 64)
			return time.Unix(n/perSecond, n%perSecond*nanos+below).UTC()
		}
	}
	return time.Time{}
}

// parseFloat reads a number of units with an exponent.
func parseFloat(s string) time.Time {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 1e9 && f < math.MaxInt64) || strings.ContainsAny(s, "xX_") {
		return time.Time{}
	}
	return parseUnix(strconv.FormatFloat(f, 'f', -1, 64))
}

// TimeOfID is the time in an id that is a UUID of version 7, as those of Audit
// Logs v2 are, or zero.
func TimeOfID(id string) time.Time {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' || id[18] != '-' || id[23] != '-' {
		return time.Time{}
	}
	n, err := strconv.ParseUint(id[:8]+id[9:13], 16, 64)
	if err != nil {
		return time.Time{}
	}
	return parseUnix(strconv.FormatUint(n, 10))
}
