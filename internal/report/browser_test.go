package report

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	inBrowser = flag.Bool("browser", false, "test the page in a headless browser as well")
	// shots is where the browser tests put pictures of the page.
	shots = flag.String("shots", "", "with -browser: keep screenshots in `FOLDER`")
	// picture is the picture of the report that the documentation shows.
	picture = flag.String("picture", "", "with -browser: write the picture for the documentation to `FILE`")
)

// browser starts a headless browser, or skips the test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	if !*inBrowser {
		t.Skip("NOT TESTED: the page in a browser, which make browser does")
	}
	var binary string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			binary = path
			break
		}
	}
	if binary == "" {
		t.Skip("NOT TESTED: the page in a browser, because there is no chromium here")
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), // the cleanup needs it after the test's has ended
		chromedp.ExecPath(binary), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true))
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		stop()
		cancel()
	})
	// The browser lives as long as the context of the first call.
	require.NoError(t, chromedp.Do(ctx))
	limited, end := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(end)
	return limited
}

// must runs an action and returns its value.
func must[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, action)
	require.NoError(t, err)
	return v
}

// send sends a command to the browser.
func send[P, R any](t *testing.T, ctx context.Context, command cdp.Command[P, R], params P) R {
	t.Helper()
	v, err := chromedp.Call(ctx, command, params)
	require.NoError(t, err)
	return v
}

// saved writes the page of a report to a file.
func saved(t *testing.T, r *Report) (url string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "report.html")
	f, err := os.Create(name)
	require.NoError(t, err)
	require.NoError(t, r.HTML(f))
	require.NoError(t, f.Close())
	return "file://" + filepath.ToSlash(name)
}

// contrast is run in the page. It finds texts that are too faint against what is
// behind them, by WCAG 2.2 level AA.
const contrast = `(() => {
	const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
	const luminance = ([r, g, b]) => {
		const f = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
		return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
	};
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c[3] === 1) return c;
		}
		return [255, 255, 255, 1];
	};
	const bad = [];
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let checked = 0;
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.textContent.trim() || !e.checkVisibility()) continue;
		const style = getComputedStyle(e);
		const svg = e.closest('svg');
		if (e.tagName === 'title') continue;
		const front = parse(svg ? style.fill : style.color), back = behind(svg ? svg.parentElement : e);
		const [hi, lo] = [luminance(front), luminance(back)].sort((a, b) => b - a);
		const ratio = (hi + 0.05) / (lo + 0.05);
		const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
		checked++;
		if (ratio < (large ? 3 : 4.5)) bad.push(ratio.toFixed(2) + ' ' + e.className + ' ' + walk.currentNode.textContent.trim().slice(0, 40));
	}
	return JSON.stringify({checked, bad: [...new Set(bad)]});
})()`

// torn is run in the page. It finds the words of the tables that are broken within one
// of their parts.
const torn = `(() => {
	const bad = [], range = document.createRange();
	const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
	let checked = 0;
	while (walk.nextNode()) {
		const node = walk.currentNode;
		if (!node.parentElement.closest('th, td') || !node.parentElement.checkVisibility()) continue;
		for (const word of node.textContent.matchAll(/[^\s\/:-]+/g)) {
			range.setStart(node, word.index);
			range.setEnd(node, word.index + word[0].length);
			checked++;
			if (word[0].length < 25 && new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1) bad.push(word[0]);
		}
	}
	return JSON.stringify({checked, bad: [...new Set(bad)]});
})()`

func TestPage_BreaksNoWordAndCutsNoPicture(t *testing.T) {
	ctx := browser(t)
	url := saved(t, sample(t))
	for _, width := range []int64{360, 400, 800, 961, 1100, 1400} {
		require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(url)))
		shoot(t, ctx, fmt.Sprintf("report-width-%d.png", width))
		var found struct {
			Checked int
			Bad     []string
		}
		require.NoError(t, json.Unmarshal([]byte(must(t, ctx, chromedp.Evaluate[string](torn))), &found))
		assert.Empty(t, found.Bad, "at a width of %d", width)
		assert.Greater(t, found.Checked, 100)
		assert.Equal(t, 1, must(t, ctx, chromedp.Evaluate[int](`[...document.querySelectorAll('svg')].filter(s => s.checkVisibility()).length`)))
		assert.Zero(t, must(t, ctx, chromedp.Evaluate[int](`[...document.querySelectorAll('svg')].filter(s => s.checkVisibility() &&
			(s.getBoundingClientRect().right > innerWidth || s.parentElement.scrollWidth > s.parentElement.clientWidth ||
			parseFloat(getComputedStyle(s.querySelector('text')).fontSize) * s.getBoundingClientRect().width / s.viewBox.baseVal.width < 9)).length`)),
			"at a width of %d the timeline is cut, or too small to read", width)
	}
}

func TestPage_FitsEveryWidthInBothThemesAndCanBeRead(t *testing.T) {
	ctx := browser(t)
	url := saved(t, sample(t))
	var problems []string
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *cdplog.EventEntryAdded:
			problems = append(problems, e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if url := e.Request.URL; !strings.HasPrefix(url, "file:") && !strings.HasPrefix(url, "data:") {
				problems = append(problems, "request to "+url)
			}
		}
	}))
	send(t, ctx, cdplog.Enable, cdp.Empty{})
	send(t, ctx, network.Enable, network.EnableParams{})
	for _, theme := range []string{"light", "dark"} {
		send(t, ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		})
		for _, width := range []int64{360, 768, 1280} {
			name := fmt.Sprintf("%s-%d", theme, width)
			require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(url)))
			shoot(t, ctx, "report-"+name+".png")
			// Folded content must fit and be readable as well.
			must(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('details').forEach(d => d.open = true)`))
			assert.LessOrEqual(t, must(t, ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)), int(width),
				"%s: the page is wider than the window", name)
			var found struct {
				Checked int
				Bad     []string
			}
			require.NoError(t, json.Unmarshal([]byte(must(t, ctx, chromedp.Evaluate[string](contrast))), &found))
			assert.Empty(t, found.Bad, "%s: too faint", name)
			assert.Greater(t, found.Checked, 300)
		}
	}
	assert.Empty(t, problems, "what the browser complains about")
}

// shoot takes a picture of the whole page, where that is asked for.
func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *shots != "" {
		keep(t, name, must(t, ctx, chromedp.FullScreenshot(100)))
	}
}

func keep(t *testing.T, name string, content []byte) {
	t.Helper()
	if *shots == "" {
		return
	}
	require.NoError(t, os.MkdirAll(*shots, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(*shots, name), content, 0o644))
}

func TestPage_EverythingHasAnAccessibleName(t *testing.T) {
	ctx := browser(t)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(saved(t, sample(t)))))
	nodes := send(t, ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
	counts := map[string]int{}
	for _, n := range nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		role := strings.Trim(string(n.Role.Value), `"`)
		counts[role]++
		switch role {
		case "link", "heading", "img", "image", "navigation", "region", "table", "RootWebArea", "columnheader", "rowheader":
			if n.Name == nil || strings.Trim(string(n.Name.Value), `" `) == "" {
				t.Errorf("a %s has no name: %s", role, n.NodeID)
			}
		}
	}
	for _, role := range []string{"link", "heading", "table", "navigation", "main"} {
		assert.Positive(t, counts[role], role)
	}
}

func TestPage_HostileValuesRunNothing(t *testing.T) {
	ctx := browser(t)
	problems := 0
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		switch event.(type) {
		case *page.EventJavascriptDialogOpening, *cdplog.EventEntryAdded:
			problems++
		}
	}))
	send(t, ctx, cdplog.Enable, cdp.Empty{})
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(360, 900), chromedp.Navigate(saved(t, hostile(t)))))
	assert.False(t, must(t, ctx, chromedp.Evaluate[bool](`!!window.hacked`)))
	assert.Zero(t, must(t, ctx, chromedp.Evaluate[int](`document.querySelectorAll('script,img,iframe,object,embed,form,style ~ style').length`)))
	assert.LessOrEqual(t, must(t, ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)), 360, "endless words break")
	assert.Zero(t, problems)
}

func TestPage_PrintsOnPaper(t *testing.T) {
	ctx := browser(t)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(saved(t, sample(t)))))
	pdf := must(t, ctx, chromedp.PrintToPDF(chromedp.PDFPrintBackground(), chromedp.PDFPaper(chromedp.PaperA4)))
	assert.True(t, strings.HasPrefix(string(pdf), "%PDF"))
	keep(t, "report-print.pdf", pdf)
}

// The documentation shows the top of the page. The picture must stay small.
func TestPage_PictureForTheDocumentation(t *testing.T) {
	ctx := browser(t)
	if *picture == "" {
		t.Skip("make pictures takes the picture")
	}
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1000, 1060), chromedp.Navigate(saved(t, sample(t)))))
	content := must(t, ctx, chromedp.CaptureScreenshot())
	require.Less(t, len(content), 200_000)
	require.NoError(t, os.WriteFile(*picture, content, 0o644))
}
