package main

import (
	"errors"
	"strings"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

// inFlags is the command-line name of a field of the configuration.
func inFlags(field string) string {
	switch field {
	case "":
		return ""
	case "api_token":
		return envToken + " or --token-file"
	}
	for _, o := range options {
		if o.field == field {
			return "--" + o.flag
		}
	}
	return field
}

// asGiven is the name of a field in a list of accounts.
func asGiven(field string) string { return field }

// explain is err worded for a user of this command: without the layers that
// wrap it, and with remedies in terms of flags.
func explain(err error) string {
	text := tell(err, inFlags)
	if errors.Is(err, ingest.ErrCursor) {
		text += "; it is the file named after the account in the folder of --state"
	}
	return text
}

// tell words an error, with configuration fields named by name. Without name,
// the remedies of Cloudflare replies are left out.
func tell(err error, name func(field string) string) string {
	switch e := err.(type) {
	case nil:
		return ""
	case *ingest.StepError:
		return failedSteps(e) + tell(e.Err, name)
	case *cloudflareaudit.ReadError:
		return "cannot read " + e.Log + ": " + tell(e.Err, name)
	case *cloudflareaudit.APIError:
		shown := *e
		if name == nil {
			shown.Remedy = ""
			return shown.Error()
		}
		shown.Field = name(e.Field)
		if e.Kind == cloudflareaudit.KindCredentials && e.Remedy != "" {
			shown.Remedy += "; 'cfaudit check' examines the token" // it tells the causes apart
		}
		return shown.Error()
	case *remarked:
		return tell(e.err, name) + e.remark
	case interface{ Unwrap() []error }:
		if _, bare := err.(prefixed.Barer); bare {
			break
		}
		return tellAll(err, e.Unwrap(), name)
	}
	return prefixed.Bare(err)
}

// tellAll words an error that wraps several: a list of them, or a sentence made
// with [fmt.Errorf], which stays one.
func tellAll(err error, causes []error, name func(field string) string) string {
	isList := err.Error() == errors.Join(causes...).Error()
	sentence, told := err.Error(), make([]string, len(causes))
	for i, cause := range causes {
		told[i] = tell(cause, name)
		sentence = strings.Replace(sentence, cause.Error(), told[i], 1)
	}
	if isList {
		return strings.Join(told, "; ")
	}
	return sentence
}

// failedSteps names a failed step, ending in ": ". The errors of the other
// steps name theirs.
func failedSteps(e *ingest.StepError) string {
	if e.Step != ingest.StepDeliver {
		return ""
	}
	sink := prefixed.Package(e.Err)
	if failed, ok := errors.AsType[*aisoc.ServiceError](e.Err); ok {
		sink = failed.Package()
	}
	switch sink {
	case "aisoc":
		return "cannot deliver to AiSOC: "
	case "httpsink":
		return "cannot deliver to --http: "
	}
	return "cannot deliver the events: "
}

// remarked is an error with a remark appended.
type remarked struct {
	err    error
	remark string
}

// Error implements error.
func (e *remarked) Error() string { return e.err.Error() + e.remark }

// Unwrap returns the error.
func (e *remarked) Unwrap() error { return e.err }
