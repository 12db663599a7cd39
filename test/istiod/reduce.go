package istiod

import "slices"

// reduce is Zeller's ddmin: the fewest parts that still fail together, in that no single one of them can be left
// out. All of them together are known to fail. On an error the fewest so far come with it.
func reduce[T any](parts []T, fails func([]T) (bool, error)) ([]T, error) {
	for n := 2; len(parts) >= 2; {
		smaller, err := smaller(parts, n, fails)
		switch {
		case err != nil:
			return parts, err
		case smaller != nil:
			parts, n = smaller, max(2, min(n-1, len(smaller)))
		case n >= len(parts):
			return parts, nil
		default:
			n = min(2*n, len(parts))
		}
	}
	return parts, nil
}

// smaller cuts parts into n pieces and is the first piece that fails by itself, or all but one piece that do;
// nil for neither.
func smaller[T any](parts []T, n int, fails func([]T) (bool, error)) ([]T, error) {
	size := (len(parts) + n - 1) / n
	for at := 0; at < len(parts); at += size {
		end := min(at+size, len(parts))
		candidates := [][]T{parts[at:end], slices.Concat(parts[:at], parts[end:])}
		if n == 2 && at > 0 {
			break // the two halves have been tried
		}
		for _, c := range candidates {
			if len(c) == 0 {
				continue
			}
			if ok, err := fails(c); ok || err != nil {
				return c, err
			}
		}
	}
	return nil, nil
}
