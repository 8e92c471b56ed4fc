package product

import (
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var mediaSuite = suite{
	pairs: rows("?image.key/update; ?images.v1.keys/delete; ?stream.key/create", "", medium, same, same),
	calls: mediaCalls(),
	examples: map[string]ruleExample{
		"media-opened":         {ofAccount("POST", "/stream/orders", requestBody(`{"requireSignedURLs":false}`)), ofAccount("POST", "/stream/orders", requestBody(`{"requireSignedURLs":true}`))},
		"media-key-changed":    {ofAccount("POST", "/stream/keys", responseBody(`{"id":"signing"}`)), ofAccount("POST", "/stream/live_inputs")},
		"media-sent-elsewhere": {ofAccount("PUT", "/stream/webhook", requestBody(`{"notificationUrl":"https://example.com/done"}`)), ofAccount("DELETE", "/stream/webhook")},
		"media-handled":        {ofAccount("POST", "/stream/clip"), ofAccount("POST", "/stream")},
		"media-changed":        {ofAccount("DELETE", "/images/v1/orders"), ofAccount("DELETE", "/images/v1/keys/1")},
	},
	moves: map[string]moveCase{
		"image opened":           {ofAccount("PATCH", "/images/v1/photo", requestBody(`{"requireSignedURLs":false}`)), "image.update", rules.Weaker, "photo"},
		"image closed":           {ofAccount("PATCH", "/images/v1/photo", requestBody(`{"requireSignedURLs":true}`)), "image.update", rules.Safer, "photo"},
		"image created open":     {ofAccount("POST", "/images/v1", requestBody(`{"requireSignedURLs":false}`)), "image.create", "", ""},
		"variant created open":   {ofAccount("POST", "/images/v1/variants", requestBody(`{"id":"hero","neverRequireSignedURLs":true}`)), "image.variant.create", rules.Weaker, "hero"},
		"webhook set":            {ofAccount("PUT", "/stream/webhook", requestBody(`{"notificationUrl":"https://example.com/hooks/B7f3kQ9zXw2LmN8pR5tYd6Va"}`)), "stream.webhook.update", "", "example.com"},
		"variant created closed": {ofAccount("POST", "/images/v1/variants", requestBody(`{"id":"hero","neverRequireSignedURLs":false}`)), "image.variant.create", "", "hero"},
	},
}

func mediaCalls() callList {
	var list callList
	list.add("PUT {a}/images/v1/keys/1", "image.key.update", medium)
	list.add("DELETE {a}/images/v1/keys/1", "image.key.delete", medium)
	list.add("POST {a}/images/v1/variants", "image.variant.create", low)
	list.add("PATCH {a}/images/v1/variants/1", "image.variant.update", low)
	list.add("DELETE {a}/images/v1/variants/1", "image.variant.delete", low)
	list.add("POST {a}/images/v1", "image.create", low)
	list.add("PATCH {a}/images/v1/1", "image.update", low)
	list.add("DELETE {a}/images/v1/1", "image.delete", low)
	list.add("POST {a}/images/v2/direct_upload", "image.upload.create", low)
	list.add("POST {a}/stream", "stream.video.create", low)
	list.add("POST {a}/stream/clip", "stream.video.clip", low)
	list.add("POST {a}/stream/copy", "stream.video.copy", low)
	list.add("POST {a}/stream/direct_upload", "stream.upload.create", low)
	list.add("POST {a}/stream/keys", "stream.key.create", medium)
	list.add("DELETE {a}/stream/keys/1", "stream.key.delete", medium)
	list.add("POST {a}/stream/live_inputs", "stream.live_input.create", low)
	list.add("PUT {a}/stream/live_inputs/1", "stream.live_input.update", low)
	list.add("DELETE {a}/stream/live_inputs/1", "stream.live_input.delete", low)
	list.add("POST {a}/stream/live_inputs/n/outputs", "stream.live_output.create", medium)
	list.add("PUT {a}/stream/live_inputs/n/outputs/1", "stream.live_output.update", medium)
	list.add("DELETE {a}/stream/live_inputs/n/outputs/1", "stream.live_output.delete", low)
	list.add("POST {a}/stream/watermarks", "stream.watermark.create", low)
	list.add("DELETE {a}/stream/watermarks/1", "stream.watermark.delete", low)
	list.add("PUT {a}/stream/webhook", "stream.webhook.update", medium)
	list.add("DELETE {a}/stream/webhook", "stream.webhook.delete", low)
	list.add("POST {a}/stream/1", "stream.video.update", low)
	list.add("DELETE {a}/stream/1", "stream.video.delete", low)
	list.add("POST {a}/stream/1/token", "stream.token.create", low)
	list.add("POST {a}/stream/1/audio/copy", "stream.audio.copy", low)
	list.add("PATCH {a}/stream/1/audio/n", "stream.audio.update", low)
	list.add("DELETE {a}/stream/1/audio/n", "stream.audio.delete", low)
	list.add("PUT {a}/stream/1/captions/n", "stream.caption.update", low)
	list.add("DELETE {a}/stream/1/captions/n", "stream.caption.delete", low)
	list.add("POST {a}/stream/1/captions/n/generate", "stream.caption.create", low)
	list.add("POST {a}/stream/1/downloads", "stream.download.create", low)
	list.add("DELETE {a}/stream/1/downloads", "stream.download.delete", low)
	list.add("POST {a}/calls/apps", "calls.application.create", medium)
	list.add("PUT {a}/calls/apps/1", "calls.application.update", low)
	list.add("DELETE {a}/calls/apps/1", "calls.application.delete", low)
	list.add("POST {a}/calls/turn_keys", "calls.turn_key.create", medium)
	list.add("PUT {a}/calls/turn_keys/1", "calls.turn_key.update", medium)
	list.add("DELETE {a}/calls/turn_keys/1", "calls.turn_key.delete", medium)
	list.add("POST {a}/realtime/kit/apps", "realtime.application.create", low)
	list.add("POST {a}/realtime/kit/n/livestreams; POST {a}/realtime/kit/n/meetings/1/livestreams", "realtime.livestream.create", medium)
	list.add("POST {a}/realtime/kit/n/meetings", "realtime.meeting.create", low)
	list.add("PUT {a}/realtime/kit/n/meetings/1; PATCH {a}/realtime/kit/n/meetings/1", "realtime.meeting.update", low)
	list.add("POST {a}/realtime/kit/n/meetings/1/active-livestream/stop", "realtime.livestream.stop", low)
	list.add("POST {a}/realtime/kit/n/meetings/1/active-session/kick; POST {a}/realtime/kit/n/meetings/1/active-session/kick-all", "realtime.participant.kick", low)
	list.add("POST {a}/realtime/kit/n/meetings/1/active-session/poll", "realtime.poll.create", low)
	list.add("POST {a}/realtime/kit/n/meetings/n/participants", "realtime.participant.create", low)
	list.add("PATCH {a}/realtime/kit/n/meetings/n/participants/1; POST {a}/realtime/kit/n/meetings/n/participants/1/token", "realtime.participant.update", low)
	list.add("DELETE {a}/realtime/kit/n/meetings/n/participants/1", "realtime.participant.delete", low)
	list.add("POST {a}/realtime/kit/n/presets", "realtime.preset.create", low)
	list.add("PATCH {a}/realtime/kit/n/presets/1", "realtime.preset.update", low)
	list.add("DELETE {a}/realtime/kit/n/presets/1", "realtime.preset.delete", low)
	list.add("POST {a}/realtime/kit/n/recordings; POST {a}/realtime/kit/n/recordings/track", "realtime.recording.create", low)
	list.add("PUT {a}/realtime/kit/n/recordings/1", "realtime.recording.update", low)
	list.add("POST {a}/realtime/kit/n/sessions/1/summary", "realtime.summary.create", low)
	list.add("POST {a}/realtime/kit/n/webhooks", "realtime.webhook.create", medium)
	list.add("PUT {a}/realtime/kit/n/webhooks/1; PATCH {a}/realtime/kit/n/webhooks/1", "realtime.webhook.update", medium)
	list.add("DELETE {a}/realtime/kit/n/webhooks/1", "realtime.webhook.delete", low)
	list.add("POST {a}/moq/relays", "moq.relay.create", low)
	list.add("PUT {a}/moq/relays/1", "moq.relay.update", low)
	list.add("DELETE {a}/moq/relays/1", "moq.relay.delete", low)
	list.add("PATCH {a}/images/v1/1", "image.update", medium, requestBody(`{"requireSignedURLs":false}`))
	list.add("POST {a}/images/v1/variants", "image.variant.create", medium, requestBody(`{"neverRequireSignedURLs":true}`))
	return list
}

func TestMedia_EveryEntryIsUnderstoodAndGraded(t *testing.T) { mediaSuite.check(t) }
