package ingest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/ingest"
)

func TestCoverage_AddSumsCountersAndTakesOverTheLatestPosition(t *testing.T) {
	t.Parallel()
	first, second := time.Unix(100, 0), time.Unix(200, 0)
	var total ingest.Coverage
	total.Add(ingest.Coverage{
		Windows: []ingest.Window{{Read: 1}}, Requests: 3, Read: 20, Delivered: 10,
		Statuses: map[int]int{200: 1, 0: 2}, Throttled: time.Second,
		Dropped: map[string]int{"reads": 3, "health": 1}, Repeated: 6, Late: 2,
		Undecodable: 1, Complete: first, Backlog: 4, Notices: []string{"over"},
	})
	total.Add(ingest.Coverage{
		Requests: 2, Statuses: map[int]int{200: 1, 503: 1}, Throttled: time.Minute,
		Read: 8, Delivered: 4, Dropped: map[string]int{"reads": 2},
		Repeated: 2, Late: 1, Undecodable: 2, Complete: second, Backlog: 1, Notices: []string{"holds"},
	})
	assert.Equal(t, ingest.Coverage{
		Requests: 5, Statuses: map[int]int{0: 2, 200: 2, 503: 1}, Throttled: 61 * time.Second,
		Read: 28, Delivered: 14,
		Dropped: map[string]int{"reads": 5, "health": 1}, Repeated: 8, Late: 3,
		Undecodable: 3, Complete: second, Backlog: 1, Notices: []string{"holds"},
	}, total)
	assert.Equal(t, 6, total.DroppedTotal())
	assert.Equal(t, total.Read, total.Delivered+total.DroppedTotal()+total.Repeated)
}

func TestCoverage_AddLeavesTheSummandAlone(t *testing.T) {
	t.Parallel()
	summand := ingest.Coverage{Dropped: map[string]int{"reads": 1}, Statuses: map[int]int{200: 1}}
	var total ingest.Coverage
	total.Add(summand)
	total.Add(summand)
	assert.Equal(t, map[string]int{"reads": 1}, summand.Dropped)
	assert.Equal(t, map[int]int{200: 1}, summand.Statuses)
}
