package row

// DecodeText decodes text in a character set; ok is false when it is not valid, or the
// character set is not known.
func DecodeText(charset string, raw []byte) (string, bool) {
	d := decoderOf(charset)
	if d == nil {
		return "", false
	}
	out, ok := d.decode(nil, raw, false)
	return string(out), ok
}

// ReplaceText decodes text with U+FFFD for what is not valid.
func ReplaceText(charset string, raw []byte) (string, bool) {
	d := decoderOf(charset)
	if d == nil {
		return "", false
	}
	out, _ := d.decode(nil, raw, true)
	return string(out), true
}

// AppendBinaryJSON is what JSON columns are read by.
var AppendBinaryJSON = appendBinaryJSON

// AppendAddress is what UUID and INET columns are read by.
var AppendAddress = appendAddress
