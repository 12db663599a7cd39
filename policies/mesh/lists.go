package mesh

// lists are the objects of a namespace, each kind sorted by name. They are in blocks, so that a change of one kind copies those of
// a few: most namespaces have objects of a handful of kinds, and updates are what admission makes for each request.
type lists [(kindCount + block - 1) / block]*[block][]*Object

const block = 8

// of are the objects of a kind.
func (l *lists) of(k Kind) []*Object {
	if b := l[k/block]; b != nil {
		return b[k%block]
	}
	return nil
}

// with are the lists with another one of a kind.
func (l lists) with(k Kind, objects []*Object) lists {
	var b [block][]*Object
	if l[k/block] != nil {
		b = *l[k/block]
	}
	b[k%block] = objects
	l[k/block] = &b
	return l
}

// set is with, for lists that nobody else has.
func (l *lists) set(k Kind, objects []*Object) {
	if l[k/block] == nil {
		l[k/block] = new([block][]*Object)
	}
	l[k/block][k%block] = objects
}
