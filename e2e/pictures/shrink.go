package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
)

// shrink encodes a picture again with 256 colours, a third of the size: pages are flat, and text is smoothed
// through shades that nobody tells apart.
func shrink(b []byte) ([]byte, error) {
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("reading the picture: %w", err)
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	var out bytes.Buffer
	if err := encoder.Encode(&out, paletted(img)); err != nil {
		return nil, fmt.Errorf("writing the picture: %w", err)
	}
	return out.Bytes(), nil
}

// paletted maps every colour to the nearest of the palette.
func paletted(img image.Image) *image.Paletted {
	bounds := img.Bounds()
	count := map[color.RGBA]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[at(img, x, y)]++
		}
	}
	palette := choose(count, 256)
	index := make(map[color.RGBA]uint8, len(count))
	for c := range count {
		index[c] = uint8(palette.Index(c))
	}
	p := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			p.SetColorIndex(x, y, index[at(img, x, y)])
		}
	}
	return p
}

func at(img image.Image, x, y int) color.RGBA {
	return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
}

// choose picks n colours: first the most frequent one of every region of the colour space, so that a small
// red dot stays red, then the most frequent ones left.
func choose(count map[color.RGBA]int, n int) color.Palette {
	all := make([]color.RGBA, 0, len(count))
	for c := range count {
		all = append(all, c)
	}
	number := func(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
	slices.SortFunc(all, func(a, b color.RGBA) int { // equal counts in an order, so that a page gives one file
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(number(a), number(b)))
	})
	region := func(c color.RGBA) [3]uint8 { return [3]uint8{c.R >> 5, c.G >> 5, c.B >> 5} }
	seen := map[[3]uint8]bool{}
	var first, rest []color.RGBA
	for _, c := range all {
		if seen[region(c)] {
			rest = append(rest, c)
			continue
		}
		seen[region(c)] = true
		first = append(first, c)
	}
	var out color.Palette
	for _, c := range slices.Concat(first, rest)[:min(n, len(all))] {
		out = append(out, c)
	}
	return out
}
