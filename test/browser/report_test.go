//go:build browser

package browser

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const page = "../../docs/reports/bank.html"

// shoot takes a picture of the page with the network cut off, and is its pixels. Where WAYWARDEN_SCREENSHOTS names a folder, the
// pictures are kept there, to be looked at.
func shoot(t *testing.T, name string, flags ...string) image.Image {
	t.Helper()
	file, err := filepath.Abs(page)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(pictures(t), name+".png")
	browse(t, file, append([]string{"--screenshot=" + out}, flags...)...)
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// pictures is the folder for them.
func pictures(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WAYWARDEN_SCREENSHOTS")
	if dir == "" {
		return t.TempDir()
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// browse opens a file with the network cut off.
func browse(t *testing.T, file string, flags ...string) {
	t.Helper()
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + t.TempDir()}, flags...)
	browser, err := exec.LookPath("chromium")
	if err != nil {
		browser = "google-chrome"
	}
	if text, err := exec.Command(browser, append(args, "file://"+file)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v (apt-get install chromium)\n%s", browser, err, text)
	}
}

// light is how light a colour is, from 0 to 255.
func light(c color.Color) uint8 { return color.GrayModel.Convert(c).(color.Gray).Y }

// shades counts how often each lightness occurs.
func shades(img image.Image) (counts [256]int) {
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y += 2 {
		for x := b.Min.X; x < b.Max.X; x += 2 {
			counts[light(img.At(x, y))]++
		}
	}
	return counts
}

// TestLightAndDark: the page is drawn as the reader's system asks, and there is something to read on it.
func TestLightAndDark(t *testing.T) {
	for _, tc := range []struct {
		name, scheme string
		background   func(uint8) bool
	}{
		{"light", "1", func(v uint8) bool { return v > 230 }},
		{"dark", "0", func(v uint8) bool { return v < 50 }},
	} {
		img := shoot(t, tc.name, "--window-size=1280,2400", "--blink-settings=preferredColorScheme="+tc.scheme)
		counts := shades(img)
		back, ink, all := 0, 0, 0
		for v, n := range counts {
			all += n
			if tc.background(uint8(v)) {
				back += n
			} else {
				ink += n
			}
		}
		if back*2 < all {
			t.Errorf("%s: only %d of %d points are background", tc.name, back, all)
		}
		if ink*200 < all {
			t.Errorf("%s: only %d of %d points are anything but background: nothing can be read", tc.name, ink, all)
		}
	}
}

// TestNarrow: on a telephone nothing sticks out at the right: the last column of pixels is background.
func TestNarrow(t *testing.T) {
	img := shoot(t, "narrow", "--window-size=500,1600", "--blink-settings=preferredColorScheme=1")
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		if v := light(img.At(b.Max.X-2, y)); v < 200 {
			t.Fatalf("something sticks out at the right, %d pixels down", y)
		}
	}
}

// TestPrint: on paper every page says what a report is not, and has a number; what is closed on a screen is there.
func TestPrint(t *testing.T) {
	file, err := filepath.Abs(page)
	if err != nil {
		t.Fatal(err)
	}
	pdf := filepath.Join(pictures(t), "print.pdf")
	browse(t, file, "--no-pdf-header-footer", "--print-to-pdf="+pdf)
	text, err := exec.Command("pdftotext", "-layout", pdf, "-").Output()
	if err != nil {
		t.Fatalf("pdftotext: %v (apt-get install poppler-utils)", err)
	}
	pages := strings.Split(strings.TrimSuffix(string(text), "\f"), "\f")
	if len(pages) < 10 || len(pages) > 40 {
		t.Errorf("it takes %d pages", len(pages))
	}
	for i, p := range pages {
		if !strings.Contains(p, "Evidence for these controls, not proof of them") {
			t.Errorf("page %d does not say that it is no proof", i+1)
		}
		if want := fmt.Sprintf("%d / %d", i+1, len(pages)); !strings.Contains(p, want) {
			t.Errorf("page %d does not say that it is %s", i+1, want)
		}
	}
	if !strings.Contains(string(text), "AuthorizationPolicy ledger/ledger-needs-token") || strings.Count(string(text), "sha256:") < 100 {
		t.Error("the objects and checks, with their digests, are not on paper")
	}
}
