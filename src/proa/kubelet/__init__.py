"""The node agent: keeps a node's containers as the API says, and the API's status as the containers are."""
