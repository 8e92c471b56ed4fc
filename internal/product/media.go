package product

import (
	"net/url"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Images, Stream, Calls, RealtimeKit and relays of media.
var media = family{
	prefixes: oneOf{"image.", "stream.", "calls.", "realtime.", "moq."},
	read:     (*review).readMedia,
	// Uploads and live pictures go to addresses that are as good as passwords.
	hooks: true,
	subjects: []subject{
		{"^image_key ^images_key ^images_v1_key", "", "image.key", "", either, named},
	},
	routes: []route{
		{"*", "/accounts/{account}/images/v1/keys", "image.key"},
		{"*", "/accounts/{account}/images/v1/variants", "image.variant"},
		{"*", "/accounts/{account}/images/v1", "image"},
		{"POST", "/accounts/{account}/images/v2/direct_upload", "image.upload.create"},
		{"POST", "/accounts/{account}/stream", "stream.video.create"},
		{"POST", "/accounts/{account}/stream/clip", "stream.video.clip"},
		{"POST", "/accounts/{account}/stream/copy", "stream.video.copy"},
		{"POST", "/accounts/{account}/stream/direct_upload", "stream.upload.create"},
		{"*", "/accounts/{account}/stream/keys", "stream.key"},
		{"*", "/accounts/{account}/stream/live_inputs", "stream.live_input"},
		{"*", "/accounts/{account}/stream/live_inputs/{input}/outputs", "stream.live_output"},
		{"*", "/accounts/{account}/stream/watermarks", "stream.watermark"},
		{"PUT", "/accounts/{account}/stream/webhook", "stream.webhook.update"},
		{"DELETE", "/accounts/{account}/stream/webhook", "stream.webhook.delete"},
		{"POST", "/accounts/{account}/stream/{id}", "stream.video.update"},
		{"DELETE", "/accounts/{account}/stream/{id}", "stream.video.delete"},
		{"POST", "/accounts/{account}/stream/{id}/token", "stream.token.create"},
		{"POST", "/accounts/{account}/stream/{id}/audio/copy", "stream.audio.copy"},
		{"PATCH", "/accounts/{account}/stream/{id}/audio/{audio}", "stream.audio.update"},
		{"DELETE", "/accounts/{account}/stream/{id}/audio/{audio}", "stream.audio.delete"},
		{"PUT", "/accounts/{account}/stream/{id}/captions/{language}", "stream.caption.update"},
		{"DELETE", "/accounts/{account}/stream/{id}/captions/{language}", "stream.caption.delete"},
		{"POST", "/accounts/{account}/stream/{id}/captions/{language}/generate", "stream.caption.create"},
		{"POST", "/accounts/{account}/stream/{id}/downloads", "stream.download.create"},
		{"DELETE", "/accounts/{account}/stream/{id}/downloads", "stream.download.delete"},
		{"*", "/accounts/{account}/calls/apps", "calls.application"},
		{"*", "/accounts/{account}/calls/turn_keys", "calls.turn_key"},
		{"*", "/accounts/{account}/realtime/kit/apps", "realtime.application"},
		{"POST", "/accounts/{account}/realtime/kit/{app}/livestreams", "realtime.livestream.create"},
		{"*", "/accounts/{account}/realtime/kit/{app}/meetings", "realtime.meeting"},
		{"POST", "/accounts/{account}/realtime/kit/{app}/meetings/{id}/active-livestream/stop", "realtime.livestream.stop"},
		{"POST", "/accounts/{account}/realtime/kit/{app}/meetings/{id}/livestreams", "realtime.livestream.create"},
		{"POST", "/accounts/{account}/realtime/kit/{app}/meetings/{id}/active-session/kick", "realtime.participant.kick"},
		{"POST", "/accounts/{account}/realtime/kit/{app}/meetings/{id}/active-session/kick-all", "realtime.participant.kick"},
		{"POST", "/accounts/{account}/realtime/kit/{app}/meetings/{id}/active-session/poll", "realtime.poll.create"},
		{"*", "/accounts/{account}/realtime/kit/{app}/meetings/{meeting}/participants", "realtime.participant"},
		{"POST", "/accounts/{account}/realtime/kit/{app}/meetings/{meeting}/participants/{id}/token", "realtime.participant.update"},
		{"*", "/accounts/{account}/realtime/kit/{app}/presets", "realtime.preset"},
		{"*", "/accounts/{account}/realtime/kit/{app}/recordings", "realtime.recording"},
		{"POST", "/accounts/{account}/realtime/kit/{app}/recordings/track", "realtime.recording.create"},
		{"POST", "/accounts/{account}/realtime/kit/{app}/sessions/{id}/summary", "realtime.summary.create"},
		{"*", "/accounts/{account}/realtime/kit/{app}/webhooks", "realtime.webhook"},
		{"*", "/accounts/{account}/moq/relays", "moq.relay"},
	},
	rules: []rules.Rule{
		{ID: "media-opened", Severity: medium, Techniques: oneOf{"T1530"},
			Match: rules.Match{Action: oneOf{"image.*", "stream.*"}, Direction: oneOf{"weaker"}},
			Title: "{words}, no signed link needed[: {target}]",
			Why:   "Anybody who knows or guesses the address can see it from now on."},
		{ID: "media-key-changed", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"image.key.*", "stream.key.*", "calls.turn_key.*", "calls.application.create"}, Verb: oneOf{"create", "update", "delete", "roll"}},
			Title: "{words}[: {target}]",
			Why:   "Its holder signs links to private media, or relays traffic at the account's cost. Without it, links and calls that need it stop working."},
		{ID: "media-sent-elsewhere", Severity: medium, Techniques: oneOf{"T1567"},
			Match: rules.Match{Action: oneOf{"stream.live_output.*", "stream.webhook.*", "realtime.webhook.*", "realtime.livestream.create"}, Verb: oneOf{"create", "update"}},
			Title: "{words}[: {target}]",
			Why:   "The address gets the live picture, or is told of every video or meeting."},
		{ID: "media-handled", Severity: low,
			Match: rules.Match{Action: oneOf{"stream.video.clip", "stream.video.copy", "stream.audio.copy", "realtime.livestream.stop", "realtime.participant.kick"}},
			Title: "{words}",
			Why:   "Programs do this all the time."},
		ordinary("media-changed", "Pictures, videos and meetings come and go all the time.", "image.*", "stream.*", "calls.*", "realtime.*", "moq.*"),
	},
}

// exposures are members that decide whether a link to a picture or a video must be
// signed, with their values from the weakest to the safest.
var exposures = map[string]string{
	"requireSignedURLs":      offOn,
	"neverRequireSignedURLs": "on off",
}

// readMedia determines which way the need for signed links moved. What is created
// open is as open as what is opened.
func (r *review) readMedia() {
	r.readOther()
	if r.Target == "" {
		r.Target = r.text("id", "uid")
	}
	if r.Target == "" {
		// The path of an address may be what keeps others from using it.
		if address, err := url.Parse(r.text("notificationUrl", "notification_url", "url")); err == nil {
			r.Target = address.Hostname()
		}
	}
	for i := range r.after {
		m := &r.after[i]
		switch direction := directionIn(exposures[m.key], r.before.get(m.key), m.val); {
		case direction == rules.Weaker && (r.verb == VerbUpdate || m.key == "neverRequireSignedURLs"):
			r.Direction = rules.Weaker
			return
		case direction == rules.Safer && r.verb == VerbUpdate:
			r.Direction = rules.Safer
		}
	}
}
