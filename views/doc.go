// Package views holds the console's pages: for each a view model, which handlers fill in, and a template that shows
// it. Models are plain structs; nothing here knows of requests or of storage. Every context handed to Render comes
// from components.With.
package views
