# Who may do what, table by table. Bigtable's roles are as narrow as its rights: who may write a row may delete it too.

# What the service acts as; pods get there by Workload Identity.
resource "google_service_account" "service" {
  account_id   = "flag-service"
  display_name = "Feature flags: the service"
}

# What flagctl acts as in the pods of the DAG.
resource "google_service_account" "writer" {
  account_id   = "flag-writer"
  display_name = "Feature flags: what the DAG appends with"
}

locals {
  service = "serviceAccount:${google_service_account.service.email}"
  writer  = "serviceAccount:${google_service_account.writer.email}"

  # Members by number, as a service account has no name before it is made.
  owners   = merge({ dag = local.writer }, { for index, member in var.owners : "owner-${index}" => member })
  auditors = { for index, member in var.auditors : "auditor-${index}" => member }
}

# Where flags may be changed on the dashboard (FLAG_DASHBOARD_WRITES=on) the role is roles/bigtable.user.
resource "google_bigtable_table_iam_member" "service_reads_flags" {
  instance_name = google_bigtable_instance.flags.name
  table         = google_bigtable_table.flags.name
  role          = "roles/bigtable.reader"
  member        = local.service
}

resource "google_bigtable_table_iam_member" "service_writes_log" {
  instance_name = google_bigtable_instance.flags.name
  table         = google_bigtable_table.log.name
  role          = "roles/bigtable.user"
  member        = local.service
}

resource "google_bigtable_table_iam_member" "owners_append" {
  for_each      = local.owners
  instance_name = google_bigtable_instance.flags.name
  table         = google_bigtable_table.flags.name
  role          = "roles/bigtable.user"
  member        = each.value
}

resource "google_bigtable_table_iam_member" "readers_of_flags" {
  for_each      = local.auditors
  instance_name = google_bigtable_instance.flags.name
  table         = google_bigtable_table.flags.name
  role          = "roles/bigtable.reader"
  member        = each.value
}

resource "google_bigtable_table_iam_member" "readers_of_log" {
  for_each      = merge(local.owners, local.auditors)
  instance_name = google_bigtable_instance.flags.name
  table         = google_bigtable_table.log.name
  role          = "roles/bigtable.reader"
  member        = each.value
}
