package console

// How a page is made here: a line in the list of routes (connector_routes.go holds
// those of connectors, the wizard and topics) with the role it needs, and a method of
// Console in a file named noun_verb.go that takes the *request and returns an error:
//
//	q.instance(), q.Param("connector"), q.Query("q")   what the address names
//	q.value("k"), q.values("k"), q.posted(fields, …)    what a form sent
//	ctx := q.Request.Context()                          carries who asks, for control
//	q.page(title, navigation, crumbs...)                the frame
//	q.render, q.renderPart(status, page, part)          a page; a page or its part
//	q.redirect(path), q.done(title, body), q.acted(err, …)  after a POST
//	problems(err)                                       for a form shown again with 422
//	c.checks.start(q, values, work), c.checks.of(q, id) live checks that a page polls
//	fieldForm                                           declared fields as form fields
//
// Words stand in views/text (en_console.yaml, en_connector.yaml).
