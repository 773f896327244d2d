// Package components holds the parts that the console's pages are made of: buttons, badges, form fields, tables,
// findings, charts. Each takes a plain struct and renders HTML that is complete without a script, keeps a content
// security policy without 'unsafe-inline', and says by words and icon what it says by colour.
package components
