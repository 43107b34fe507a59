"""x-kubernetes-validations: rules in CEL over the objects of a schema.

    tree.Node --declared--> types and sizes --compiled--> programs per node --evaluated--> field errors
                                            --checked--> what is wrong with a schema's rules when it is written
                                            --defaults--> the defaults that break them

Documents are not converted: expressions see plain JSON, and views only where the schema says that a value is more than
that (`views`). Not here: the rest of a schema (`machinery.structural`), the language (`lang.cel`). Nothing loads this
before there is a rule.
"""
