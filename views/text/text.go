// Package text is the one catalogue of what the console says. A message has an ID ("nav.help") and a text for each
// language; templates and handlers name the ID only. Texts of connectors (labels, help) stand with their specs.
package text

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed en*.yaml
var files embed.FS

// Default is the language of a context that names none.
const Default = "en"

// languages is read-only: it is parsed once from embedded bytes.
var languages = sync.OnceValue(func() map[string]map[string]string {
	return map[string]map[string]string{"en": parse("en")}
})

// parse reads the catalogue of a language, which may be several files: en.yaml is what templates say, en_console.yaml
// and others what handlers say. Each is nested maps, whose keys are joined by dots.
func parse(language string) map[string]string {
	out := map[string]string{}
	names, err := fs.Glob(files, language+"*.yaml")
	for _, name := range names {
		var tree map[string]any
		body, readErr := files.ReadFile(name)
		if err = errors.Join(err, readErr, yaml.Unmarshal(body, &tree)); err == nil {
			flatten("", tree, out)
		}
	}
	if err != nil {
		panic("text: reading embedded catalogue: " + err.Error()) // the tests read the same bytes
	}
	return out
}

func flatten(prefix string, tree map[string]any, out map[string]string) {
	for key, value := range tree {
		switch value := value.(type) {
		case map[string]any:
			flatten(prefix+key+".", value, out)
		default:
			out[prefix+key] = strings.TrimSpace(fmt.Sprint(value))
		}
	}
}

type languageKey struct{}

// WithLanguage returns a context whose texts are in the given language ("en"); one that is not known counts as Default.
func WithLanguage(ctx context.Context, language string) context.Context {
	return context.WithValue(ctx, languageKey{}, language)
}

// Language returns the language of the context: a tag for the lang attribute.
func Language(ctx context.Context) string {
	language, _ := ctx.Value(languageKey{}).(string)
	if _, ok := languages()[language]; ok {
		return language
	}
	return Default
}

// T returns the text of a message in the context's language, else in English, with {0}, {1}, … replaced by args.
// An ID without a text is returned itself, so that a page never breaks over a word; a test finds those.
func T(ctx context.Context, id string, args ...any) string {
	message, ok := languages()[Language(ctx)][id]
	if !ok {
		if message, ok = languages()[Default][id]; !ok {
			return id
		}
	}
	if len(args) == 0 {
		return message
	}
	pairs := make([]string, 0, 2*len(args))
	for i, arg := range args {
		pairs = append(pairs, fmt.Sprintf("{%d}", i), fmt.Sprint(arg))
	}
	return strings.NewReplacer(pairs...).Replace(message)
}

// N returns T of id+".one" when n is 1 and of id+".other" otherwise. {0} is the formatted number, {1}… are args.
func N(ctx context.Context, id string, n int64, args ...any) string {
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	return T(ctx, id+form, append([]any{Number(n)}, args...)...)
}

// Number writes n with a comma between groups of three digits: 1,234,567.
func Number(n int64) string {
	digits := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}

// IDs returns every message ID of a language, for tests of completeness.
func IDs(language string) []string {
	out := make([]string, 0, len(languages()[language]))
	for id := range languages()[language] {
		out = append(out, id)
	}
	return out
}
