package console

// connectorRoutes are those of the wizard, of one connector's pages and of topics.
func (c *Console) connectorRoutes() []route {
	return []route{}
}
