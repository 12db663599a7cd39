//go:build browser

package browser

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const page = "../../docs/reports/bank.html"

// shoot takes a picture of the page with the network cut off, and is its pixels. Where WAYWARDEN_SCREENSHOTS names a folder, the
// pictures are kept there, to be looked at.
func shoot(t *testing.T, name string, flags ...string) image.Image {
	t.Helper()
	dir := os.Getenv("WAYWARDEN_SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs(page)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, name+".png")
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + t.TempDir(),
		"--screenshot=" + out}, flags...)
	if text, err := exec.Command("chromium", append(args, "file://"+file)...).CombinedOutput(); err != nil {
		t.Fatalf("chromium: %v (apt-get install chromium)\n%s", err, text)
	}
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
