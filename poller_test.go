package cloudflareaudit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/cfapi"
)

func TestPoll_ADepthLimitLosesNoEntryBehindIt(t *testing.T) {
	t.Parallel()
	for total := 1000; total < 1006; total++ {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(cfapi.Options{MostDepth: 999})
			now := time.Now()
			for i := range total {
				server.Add(time.Time{}, cfapi.Entry(fmt.Sprintf("id-%d", i), now.Add(-time.Hour-time.Duration(i)*10*time.Second), 0))
			}
			got, _, _ := drain(t, connect(t, cfg), nil)
			require.Equal(t, total, len(unique(got)))
			require.Equal(t, total, len(got))
		})
	}
}
