"""Object types of the API's schema; their values are the JSON objects of REST responses.

The enums are declared before the types that name them: a type takes an enum of the domain as it finds it.
"""

from server.graphql.objects.enums import declare_enums

declare_enums()
