// Every version so far.
#include "sqlite/schema.hpp"

namespace kommander::storage {

const SchemaSteps& ReleasedSteps() {
  static const SchemaSteps steps{
      "CREATE TABLE store(name BLOB PRIMARY KEY NOT NULL, record BLOB NOT NULL)"
      "  WITHOUT ROWID, STRICT;"
      "CREATE TABLE partitions(partition INTEGER NOT NULL, kind INTEGER NOT NULL,"
      "  record BLOB NOT NULL, PRIMARY KEY(partition, kind)) WITHOUT ROWID, STRICT;"
      "CREATE TABLE entries(partition INTEGER NOT NULL, idx INTEGER NOT NULL,"
      "  record BLOB NOT NULL, PRIMARY KEY(partition, idx)) WITHOUT ROWID, STRICT;",
  };
  return steps;
}

}  // namespace kommander::storage
