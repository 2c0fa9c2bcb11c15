$script$, '@scheduler@', scheduler);
END
$extension$;
