//! Which properties exist, which may be selected, and how an object is shown.

use serde_json::Value;

use crate::{
    directory::{Kind, Properties},
    errors::GraphError,
};

/// What `/users` and `/users/delta` show without `$select`.
const USER_DEFAULT: &str = "businessPhones,displayName,givenName,jobTitle,mail,mobilePhone,officeLocation,\
     preferredLanguage,surname,userPrincipalName";

const USER: &str = "accountEnabled,ageGroup,assignedLicenses,assignedPlans,businessPhones,city,companyName,\
     consentProvidedForMinor,country,createdDateTime,creationType,deletedDateTime,department,displayName,employeeHireDate,\
     employeeId,employeeOrgData,employeeType,externalUserState,externalUserStateChangeDateTime,faxNumber,givenName,id,\
     identities,imAddresses,isResourceAccount,jobTitle,legalAgeGroupClassification,licenseAssignmentStates,mail,\
     mailNickname,manager,mobilePhone,officeLocation,onPremisesDistinguishedName,onPremisesDomainName,\
     onPremisesExtensionAttributes,onPremisesImmutableId,onPremisesLastSyncDateTime,onPremisesProvisioningErrors,\
     onPremisesSamAccountName,onPremisesSecurityIdentifier,onPremisesSyncEnabled,onPremisesUserPrincipalName,otherMails,\
     passwordPolicies,passwordProfile,postalCode,preferredDataLocation,preferredLanguage,provisionedPlans,proxyAddresses,\
     securityIdentifier,showInAddressList,signInSessionsValidFromDateTime,state,streetAddress,surname,usageLocation,\
     userPrincipalName,userType";

const GROUP: &str = "assignedLabels,assignedLicenses,classification,createdDateTime,deletedDateTime,description,\
     displayName,expirationDateTime,groupTypes,id,isAssignableToRole,isManagementRestricted,licenseProcessingState,mail,\
     mailEnabled,mailNickname,members,membershipRule,membershipRuleProcessingState,onPremisesDomainName,\
     onPremisesLastSyncDateTime,onPremisesNetBiosName,onPremisesProvisioningErrors,onPremisesSamAccountName,\
     onPremisesSecurityIdentifier,onPremisesSyncEnabled,owners,preferredDataLocation,preferredLanguage,proxyAddresses,\
     renewedDateTime,resourceBehaviorOptions,resourceProvisioningOptions,securityEnabled,securityIdentifier,theme,\
     uniqueName,visibility";

/// Kept outside the main store: selecting one of these on a collection is refused.
const OUTSIDE: &str = "aboutMe,accessType,allowExternalSenders,autoSubscribeNewMembers,birthday,cloudLicensing,\
     deviceEnrollmentLimit,hideFromAddressLists,hideFromOutlookClients,hireDate,interests,isArchived,isFavorite,\
     isSubscribedByMail,mailboxSettings,mySite,pastProjects,preferredName,print,responsibilities,schools,signInActivity,\
     skills,unseenConversationsCount,unseenCount,unseenMessagesCount,welcomeMessageEnabled";

/// The selected properties; `None` is Microsoft's default set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Select(pub(crate) Option<Vec<String>>);

impl Select {
    /// Read `$select` for a collection.
    pub(crate) fn parse(kind: Kind, text: Option<&str>) -> Result<Self, GraphError> {
        let Some(text) = text else { return Ok(Self(None)) };
        let (known, type_name) = match kind {
            Kind::User => (USER, "microsoft.graph.user"),
            Kind::Group => (GROUP, "microsoft.graph.group"),
        };
        let names: Vec<_> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        for &name in &names {
            if OUTSIDE.split(',').any(|outside| outside == name) {
                return Err(GraphError::of_status(501));
            }
            if !known.split(',').any(|known| known == name) && !name.starts_with("extension_") {
                let message = format!(
                    "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type '{type_name}'."
                );
                return Err(GraphError::new(400, "BadRequest", message));
            }
        }
        Ok(Self(Some(names.into_iter().map(str::to_owned).collect())))
    }

    /// The same, as the token keeps it.
    pub(crate) fn text(&self) -> Option<String> {
        self.0.as_ref().map(|names| names.join(","))
    }

    /// The reverse of [`Select::text`].
    pub(crate) fn of_text(text: Option<&str>) -> Self {
        Self(text.map(|text| text.split(',').map(str::to_owned).collect()))
    }

    /// Is this property shown and its change worth telling?
    pub(crate) fn has(&self, kind: Kind, name: &str) -> bool {
        match (&self.0, kind) {
            (Some(names), _) => names.iter().any(|selected| selected == name),
            (None, Kind::User) => USER_DEFAULT.split(',').any(|default| default == name),
            (None, Kind::Group) => GROUP.split(',').any(|known| known == name),
        }
    }

    /// An object in a delta answer: what was never set is left out.
    pub(crate) fn tracked(&self, kind: Kind, mut properties: Properties) -> Properties {
        properties.retain(|name, _| self.has(kind, name));
        properties
    }

    /// An object in a list: what was never set is null.
    pub(crate) fn listed(&self, kind: Kind, properties: Properties) -> Properties {
        let mut shown = self.tracked(kind, properties);
        let names: Vec<&str> = match (&self.0, kind) {
            (Some(names), _) => names.iter().map(String::as_str).collect(),
            (None, Kind::User) => USER_DEFAULT.split(',').collect(),
            (None, Kind::Group) => GROUP.split(',').collect(),
        };
        for name in names.into_iter().filter(|name| !["id", "members", "owners", "manager"].contains(name)) {
            let lists = ["businessPhones", "proxyAddresses", "otherMails", "groupTypes", "imAddresses"];
            let nothing = if lists.contains(&name) { Value::Array(Vec::new()) } else { Value::Null };
            shown.entry(name).or_insert(nothing);
        }
        shown
    }
}
