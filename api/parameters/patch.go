package parameters

// directive is what a strategic merge patch says about its own mapping or list item, such as that it is deleted.
const directive = "$patch"

// over lays the patch of a profile over the overlay of its other fields. The one list that both can add to is that of the
// containers; any other is the patch's where it has it. strategicpatch has a function that merges patches, and it loses
// the directives of lists that only one of the two has.
func over(overlay, patch object) {
	for key, value := range patch {
		switch value := value.(type) {
		case object:
			under, ok := overlay[key].(object)
			if _, directs := value[directive]; ok && !directs {
				over(under, value)
				continue
			}
		case []any:
			if under, ok := overlay[key].([]any); ok && key == "containers" {
				overlay[key] = containers(under, value)
				continue
			}
		}
		overlay[key] = patch[key]
	}
}

// containers adds the containers of a patch to the one that the other fields change, as one item where both mean it.
func containers(own, patch []any) []any {
	for _, item := range patch {
		with, ok := item.(object)
		_, directs := with[directive]
		if under := own[0].(object); ok && !directs && with["name"] == under["name"] {
			over(under, with)
			continue
		}
		own = append(own, item)
	}
	return own
}
